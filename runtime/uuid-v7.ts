import { randomFillSync } from 'node:crypto';

const RANDOM_BYTES = 10;
/** Random bytes are drawn in one go for many ids: a system call an id would cost more than the rest of it. */
const pool = Buffer.alloc(RANDOM_BYTES * 256);
let used = pool.length;

/** A UUID version 7 (RFC 9562 section 5.7): time-ordered, so that records sort and index by age. Node has its own from 26.1 on. */
export function uuidV7(nowMs: number = Date.now()): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  pool.copy(bytes, 6, used, used + RANDOM_BYTES);
  used += RANDOM_BYTES;
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
