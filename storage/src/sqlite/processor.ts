import type { EngineContext } from '../engine/context.ts';
import type { RelayEvent } from '../engine/events.ts';
import { entries, heads } from '../engine/heads.ts';
import { ackMailbox, dropMailbox, openMailbox, readMailbox } from '../engine/mailbox.ts';
import { submit, submitDirect } from '../engine/submit.ts';
import type { StoreLimits } from '../store-limits.ts';
import { createByteReader, createByteWriter } from './byte-codec.ts';
import { readCall, writeAnswer, writeArrivals, type ReceivedCall } from './call-codec.ts';
import {
  isDirectoryRequest,
  isRelayRequest,
  type Answer,
  type Arrival,
  type DirectoryMethods,
  type DirectoryRequest,
  type FromWorker,
  type Handlers,
  type RelayMethods,
  type RelayRequest,
  type Request,
  type ToWorker,
} from './calls.ts';
import { isUnwritable } from './database.ts';
import type { DirectoryFile } from './directory-file.ts';
import type { RelayFile } from './relay-file.ts';
import { seededBytes } from './seeded-bytes.ts';
import type { IsHeard } from './submit-codec.ts';
import { tight } from './tight.ts';

type Batch = Extract<ToWorker, { type: 'batch' }>;
type Answers = Extract<FromWorker, { type: 'answers' }>;

/**
 * Answers a batch of calls. What it makes durable shares one commit per file (group commit), the directory's before the
 * relay's. If the relay's file cannot be written, what would have been committed is taken back and answered `store_full`;
 * reading, opening and acking go on.
 */
export function processBatch(
  batch: Batch,
  o: { readonly relay: RelayFile; readonly directory: DirectoryFile; readonly limits: StoreLimits },
): Answers {
  const { relay } = o;
  const calls = readCalls(batch);
  const answers: Answer[] = calls.map(() => notACall);
  answerDirectory(batch, calls, o.directory, answers);

  const arrivals: Arrival[] = [];
  let isHeard: IsHeard = () => false;
  const context: EngineContext = {
    records: relay.records,
    record(event) {
      relay.record(event);
      if (!isSubmit(event)) return;
      for (const { device, envelope } of event.deliveries) {
        const mailbox = isHeard(device.account, device.device) ? relay.records.mailboxes.get(device) : undefined;
        if (!mailbox) continue;
        arrivals.push({ device, entry: { incarnation: mailbox.incarnation, number: mailbox.last, envelope } });
      }
    },
    newestList: (account) => o.directory.newestList(account),
    incarnation: relay.incarnation,
    nowMs: batch.nowMs,
    randomBytes: seededBytes(batch.seed),
    limits: o.limits,
  };
  const handlers = relayHandlers(context, relay);
  const start = relay.mark();
  for (const [place, { request, isHeard: heard }] of calls.entries()) {
    if (!isRelayRequest(request)) continue;
    const arrived = arrivals.length;
    isHeard = heard;
    const answer = answerRelay(request, handlers, relay);
    if (answer.type === 'fault') arrivals.length = arrived;
    answers[place] = answer;
  }
  try {
    if (relay.mustCommit()) relay.commit();
    else relay.keep();
  } catch (error) {
    relay.revert(start);
    for (const [place, { request }] of calls.entries()) {
      if (!isRelayRequest(request)) continue;
      answers[place] = isUnwritable(error) ? answerReading(request, handlers, relay) : failure(error);
    }
    arrivals.length = 0;
    relay.keep();
  }
  return packAnswers(answers, arrivals);
}

const notACall: Answer = { type: 'fault', message: 'not a call' };

function readCalls({ calls, others }: Batch): ReceivedCall[] {
  const reader = createByteReader(calls);
  const read: ReceivedCall[] = [];
  let next = 0;
  const other = (): Request => {
    const request = others[next++];
    if (request === undefined) throw new RangeError('a call that is not there');
    return request;
  };
  while (!reader.atEnd) read.push(readCall(reader, other));
  return read;
}

const writer = createByteWriter();

function packAnswers(all: readonly Answer[], arrivals: readonly Arrival[]): Answers {
  const others: Answer[] = [];
  writer.cutTo(0);
  for (const answer of all) if (!writeAnswer(writer, answer)) others.push(tight(answer));
  writeArrivals(writer, arrivals);
  return { type: 'answers', answers: new Uint8Array(writer.finish()), others };
}

function isSubmit(event: RelayEvent): event is Extract<RelayEvent, { type: 'committed' | 'direct' }> {
  return event.type === 'committed' || event.type === 'direct';
}

function relayHandlers(context: EngineContext, relay: RelayFile): Handlers<RelayMethods> {
  return {
    submit: (asked) => submit(context, asked),
    submitDirect: (asked) => submitDirect(context, asked),
    open: (device, committed) => openMailbox(context, device, committed),
    read: (device, after, max) => readMailbox(context, device, after, max),
    ack: (device, committed) => ackMailbox(context, device, committed),
    heads: (handles) => heads(context, handles),
    entries: (handle, era, numbers, asker) => entries(context, { handle, era, numbers, asker }),
    drop: (device) => dropMailbox(context, device),
    check: () => relay.probe(),
  };
}

function answerRelay(request: RelayRequest, handlers: Handlers<RelayMethods>, relay: RelayFile): Answer {
  const mark = relay.mark();
  try {
    switch (request.name) {
      case 'submit':
        return { type: 'submitted', value: handlers.submit(...request.args) };
      case 'submitDirect':
        return { type: 'sent', value: handlers.submitDirect(...request.args) };
      case 'ack':
        return { type: 'acked', value: handlers.ack(...request.args) };
      case 'read':
        return { type: 'page', value: handlers.read(...request.args) };
      default:
        return { type: 'answer', value: dispatch(handlers, request) };
    }
  } catch (error) {
    relay.revert(mark);
    return failure(error);
  }
}

/** Answers what needs no commit. */
function answerReading(request: RelayRequest, handlers: Handlers<RelayMethods>, relay: RelayFile): Answer {
  const mark = relay.mark();
  const answer = answerRelay(request, handlers, relay);
  if (!relay.mustCommit()) return answer;
  relay.revert(mark);
  if (request.name === 'drop') return { type: 'store_full' };
  return { type: 'answer', value: { type: 'refused', code: 'store_full' } };
}

function answerDirectory(
  batch: Batch,
  calls: readonly ReceivedCall[],
  directory: DirectoryFile,
  answers: Answer[],
): void {
  const asked = calls.flatMap(({ request }, place) => (isDirectoryRequest(request) ? [{ request, place }] : []));
  if (asked.length === 0) return;
  const handlers = directoryHandlers(directory, batch.nowMs);
  const answerAll = (): void => {
    for (const { request, place } of asked) answers[place] = answerPart(request, handlers, directory);
  };
  if (asked.every(({ request }) => onlyReads(request))) {
    answerAll();
    return;
  }
  try {
    directory.transaction(answerAll);
  } catch (error) {
    // Each on its own: what only reads is answered all the same.
    for (const { place } of asked) answers[place] = failure(error);
    if (!isUnwritable(error)) return;
    for (const { request, place } of asked) answers[place] = answerAlone(request, handlers, directory);
  }
}

/** Nothing of it is to be kept or taken back. */
function onlyReads({ name }: DirectoryRequest): boolean {
  return name === 'deviceList' || name === 'holdsGeneration' || name === 'findUsername';
}

function directoryHandlers(directory: DirectoryFile, nowMs: number): Handlers<DirectoryMethods> {
  const { lists, prekeys, usernames } = directory;
  return {
    register: (account) => directory.register(account, nowMs),
    deviceList: (account) => lists.deviceList(account),
    putDeviceList: (next) => lists.put(next),
    claimGeneration: (device, tokens) => lists.claim(device, tokens),
    holdsGeneration: (device, tokens) => lists.holds(device, tokens),
    setUsername: (account, hash) => usernames.set(account, hash, nowMs),
    findUsername: (hash) => usernames.find(hash),
    removeUsername: (account) => usernames.giveUp(account, nowMs),
    publish: (device, keys) => prekeys.publish(device, keys),
    take: (device, { oneTime }) => prekeys.take(device, oneTime),
    count: (device) => prekeys.count(device),
    repeated: (device) => prekeys.repeated(device),
  };
}

function answerPart(request: DirectoryRequest, handlers: Handlers<DirectoryMethods>, directory: DirectoryFile): Answer {
  try {
    if (onlyReads(request)) return { type: 'answer', value: dispatch(handlers, request) };
    return { type: 'answer', value: directory.part(() => dispatch(handlers, request)) };
  } catch (error) {
    if (isUnwritable(error)) throw error;
    return failure(error);
  }
}

function answerAlone(
  request: DirectoryRequest,
  handlers: Handlers<DirectoryMethods>,
  directory: DirectoryFile,
): Answer {
  try {
    return { type: 'answer', value: directory.transaction(() => dispatch(handlers, request)) };
  } catch (error) {
    return failure(error);
  }
}

/** Calls the handler of the request's name with its arguments, which are those of that method. */
function dispatch(handlers: Readonly<Record<string, unknown>>, request: Request): unknown {
  const handler = handlers[request.name];
  return typeof handler === 'function' ? Reflect.apply(handler, undefined, request.args) : undefined;
}

function failure(error: unknown): Answer {
  if (isUnwritable(error)) return { type: 'store_full' };
  return { type: 'fault', message: error instanceof Error ? error.message : 'unknown' };
}
