// Before @peculiar/x509, which does not load without it.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A certificate and the key it certifies, both PEM; the key is PKCS #8 (RFC 5958). */
export interface KeyedCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** Whom a server certificate is for. Clients compare only the subject alternative names (RFC 9525); the common name is for people. */
export interface ServerIdentity {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

const CURVE = { name: 'ECDSA', namedCurve: 'P-256' };
const SIGNATURE = { name: 'ECDSA', hash: 'SHA-256' };
/** A certificate made this moment must also be valid for a peer whose clock is a little behind. */
const CLOCK_SKEW_MS = 5 * 60_000;
const DAY_MS = 86_400_000;
const SERIAL_BYTES = 16;

/** Makes a certificate authority (RFC 5280) that may sign server certificates but no further authority. ECDSA with P-256. */
export async function createCertificateAuthority(commonName: string, nowMs: number, days: number): Promise<KeyedCertificate> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: subject(commonName),
    ...validity(nowMs, days),
    signingAlgorithm: SIGNATURE,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: pem(certificate), privateKeyPem: await privateKeyPem(keys.privateKey) };
}

/** Makes a server's key and has `authority` certify it for these names. ECDSA with P-256. */
export async function issueServerCertificate(
  authority: KeyedCertificate,
  { commonName, dnsNames, ipAddresses }: ServerIdentity,
  nowMs: number,
  days: number,
): Promise<KeyedCertificate> {
  const issuer = new X509Certificate(authority.certificatePem);
  const issuerKey = PemConverter.decodeFirst(authority.privateKeyPem);
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: subject(commonName),
    issuer: issuer.subjectName,
    ...validity(nowMs, days),
    signingAlgorithm: SIGNATURE,
    publicKey: keys.publicKey,
    signingKey: await webcrypto.subtle.importKey('pkcs8', issuerKey, CURVE, false, ['sign']),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([
        ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
        ...ipAddresses.map((value) => ({ type: 'ip' as const, value })),
      ]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { certificatePem: pem(certificate), privateKeyPem: await privateKeyPem(keys.privateKey) };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify']);
}

/** As structured data, so that nothing in a name is read as distinguished-name syntax. */
function subject(commonName: string): Name {
  return new Name([{ CN: [{ utf8String: commonName }] }]);
}

function validity(nowMs: number, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(nowMs - CLOCK_SKEW_MS), notAfter: new Date(nowMs + days * DAY_MS) };
}

/** Random, positive and never zero (RFC 5280 section 4.1.2.2), in hexadecimal. */
function newSerial(): string {
  const bytes = webcrypto.getRandomValues(Buffer.alloc(SERIAL_BYTES));
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return bytes.toString('hex');
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`;
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key);
  return `${PemConverter.encode(der, PemConverter.PrivateKeyTag).trim()}\n`;
}
