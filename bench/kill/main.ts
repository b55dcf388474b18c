/**
 * `npm run proof:kill [-- MESSAGES KILLS SEED]`: so many messages each way (5000), so many kills (50), and a seed. Prints
 * one JSON line; exit code 0 if nothing was lost, doubled or out of order.
 */
import { proveKill } from './proof.ts';

const [messagesEachWay = 5_000, kills = 50, seed = 1] = process.argv.slice(2).map(Number);
const report = await proveKill({ messagesEachWay, kills, seed });
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exit(report.ok ? 0 : 1);
