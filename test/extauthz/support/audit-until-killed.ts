import { openThreadedAuditStore } from '../../../extauthz/store/threaded-audit-store.ts';
import { auditRecord } from './audit-records.ts';

/** Stores audit records until it is killed, and prints the id of each that it was told is stored. */
const store = await openThreadedAuditStore(process.argv[2] ?? '');
for (;;) {
  const records = Array.from({ length: 10 }, () => auditRecord());
  await store.append(records);
  process.stdout.write(records.map(({ id }) => `${id}\n`).join(''));
}
