import { describeAdapter } from './describe-adapter.ts';
import { sqliteAdapter } from './sqlite-adapter.ts';

describeAdapter(sqliteAdapter('calling'));
describeAdapter(sqliteAdapter('own'), { everyNth: 12 });
