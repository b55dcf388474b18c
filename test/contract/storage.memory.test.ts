import { describeAdapter } from './describe-adapter.ts';
import { memoryAdapter } from './memory-adapter.ts';

describeAdapter(memoryAdapter);
