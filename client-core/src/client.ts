import {
  isAccountId,
  ProtocolError,
  type AccountId,
  type DeviceAddress,
  type DeviceId,
  type MessageId,
} from '@waxwing/protocol';
import { ChangeBus } from './bus.ts';
import { connectionState, finalError, type ConnectionState } from './connection-state.ts';
import { directId, peerOf, type ConversationId } from './conversation-id.ts';
import type { DirectConversation } from './conversation.ts';
import { createConversationsQuery, type ConversationSummary } from './conversations-query.ts';
import { createDirectConversation, type ConversationParts } from './direct-conversation.ts';
import { ClosedError, StoreFullError, UnknownUserError, UnreachableError, WaxwingError } from './errors.ts';
import { EventHub, type ClientEvent } from './events.ts';
import { explain } from './explain.ts';
import type { DeviceRow } from './history/device.ts';
import { DiskWatch } from './history/disk-watch.ts';
import type { Generations } from './history/generations.ts';
import type { Store } from './history/store.ts';
import { InboxReader, type InboxMessage } from './inbox.ts';
import type { LiveQuery } from './live-query.ts';
import { newMessageId } from './message-id.ts';
import { messageOf, statusReader, type HistoryItem } from './message.ts';
import type { MessageTrace } from './message-trace.ts';
import { until, Value, type Observable } from './observable.ts';
import type { Runtime } from './runtime.ts';
import { searchPage, type Page, type SearchHit, type SearchOptions } from './search.ts';
import { SendQueue } from './send-queue.ts';
import { createSentMessage } from './sent-message.ts';
import type { LocalKeys } from './session/crypto.ts';
import { UnitOfWork } from './session/unit-of-work.ts';
import { SyncEngine } from './sync/engine.ts';
import type { IdentityPolicy } from './sync/send-hold.ts';
import { tokenFor, type TokenRequest } from './token-request.ts';
import type { KeyserverClient } from './transport/keyserver-client.ts';
import { createRelayLink, type LinkState, type RelayLink } from './transport/relay-link.ts';
import { createTrust, type SafetyNumber, type Trust } from './trust.ts';

/** A device of an account, open on its file. */
export type Client = {
  readonly account: AccountId;
  readonly device: DeviceId;
  /** The origin that it dials. */
  readonly server: string;
  readonly connection: Observable<ConnectionState>;
  /**
   * Resolves when the mailbox has drained, after any number of attempts; from then on the client reconnects by itself.
   * Rejects with `cloned`, `displaced` or `token_rejected` where that is final, `ClosedError` when the client closes.
   */
  connect(): Promise<void>;
  /** Finishes what is under way, then lets go of the connection and the file. Idempotent. */
  close(): Promise<void>;
  /** The same as `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
  /**
   * The conversation with an account, by id or username. Rejects with `UnknownUserError`; with `UnreachableError` where
   * only the server could tell. An account that is known, or given by its id, needs no server.
   */
  direct(peer: AccountId | string): Promise<DirectConversation>;
  /** Rejects with `UnknownUserError` where there is no such conversation yet. */
  conversation(id: ConversationId): Promise<DirectConversation>;
  /** Every conversation, the most recently active first. */
  conversations(): LiveQuery<ConversationSummary>;
  /**
   * Incoming messages of all conversations in the order of their commit, at least once for each consumer. A message is
   * handled when the next is asked for or `done()` is called; after a crash the last ones come again, `redelivered`.
   */
  inbox(options?: { readonly consumer?: string }): AsyncIterableIterator<InboxMessage>;
  /**
   * The messages of the device's history that have all the words of a query, newest first; own ones from when they are
   * sent. `word`, `begin*` from two characters on, `"a phrase"`; case and accents do not matter, and a word of a script
   * without spaces is found within others. Whatever is typed is no error: a query without a word finds nothing. Needs no
   * server. Rejects with `ClosedError`.
   */
  search(query: string, options?: SearchOptions): Promise<Page<SearchHit>>;
  /**
   * What to compare with a person, to know that nobody stands between. Needs the server only for an account that is not
   * known yet; rejects with `UnknownUserError`, or `UnreachableError`.
   */
  safetyNumber(peer: AccountId): Promise<SafetyNumber>;
  readonly trust: Trust;
  /**
   * A token of this device, for calling its server without this library: good for a minute by this machine's clock, for one
   * request or one challenge. Needs no server. Rejects with `cloned`.
   */
  token(request: TokenRequest): Promise<string>;
  /** What happens from now on; what matters is also in the history. */
  events(): AsyncIterableIterator<ClientEvent>;
  /**
   * Why a message is unsent, late or unreadable, and what comes next; of a hole, by the id that the history gives it. One
   * whose hole has filled is explained by what came. It holds no content. Rejects with `unknown_message` for another id.
   */
  explain(id: HistoryItem['id']): Promise<MessageTrace>;
};

const DEFAULT_CONSUMER = 'default';

/** Puts a client together from an open store with a registered device. */
export function createClientOn(
  file: Store,
  runtime: Runtime,
  device: DeviceRow,
  generations: Generations,
  keyserver: KeyserverClient,
  identityPolicy: IdentityPolicy = 'accept-and-warn',
): Client {
  const address: DeviceAddress = { account: device.account, device: device.device };
  const local: LocalKeys = {
    address,
    registrationId: device.registrationId,
    identityKeyPair: device.identityKeyPair,
  };
  const { crypto, clock, timers, randomBytes } = runtime;
  const disk = new DiskWatch();
  const store = disk.watch(file);
  const bus = new ChangeBus();
  const events = new EventHub();
  const closing = new AbortController();
  const newId = (): MessageId => newMessageId(runtime);
  const connection = new Value<ConnectionState>(device.cloned ? { state: 'cloned' } : { state: 'offline' });
  const work = new UnitOfWork(store);
  const context = { store, work, crypto, local, clock, timers, randomBytes, bus, events, identityPolicy };
  const engine = new SyncEngine(context, keyserver, newId, {
    ready: () => generations.confirm(),
    caughtUp: () => connection.set({ state: 'online' }),
  });

  /** The first of a process is a commit. */
  const ownGenerations = (): Uint8Array[] => disk.around(() => generations.list());

  function token(request: TokenRequest, serverNowMs: number): string {
    const secret = store.device.get()?.authSecretKey;
    if (!secret) throw new WaxwingError('cloned');
    const sign = (message: Uint8Array) => crypto.signToken(secret, message);
    const asked = { ...request, server: request.server ?? device.server };
    return tokenFor(asked, { device: address, generations: ownGenerations(), serverNowMs, sign });
  }

  function answerChallenge({ nonce, serverTimeMs }: { nonce: Uint8Array; serverTimeMs: number }) {
    const answer = token({ nonce }, serverTimeMs);
    const committed = engine.committed();
    return { ...address, token: answer, generations: ownGenerations(), ...(committed && { committed }) };
  }

  /** On a full disk the relay tells again at the next opening. */
  function becomeCloned(): void {
    try {
      store.transaction(() => store.device.setCloned());
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
      events.emit({ type: 'storeFull' });
    }
  }

  function stateChanged(state: LinkState): void {
    if (closing.signal.aborted) return;
    if (state.type === 'down' || state.type === 'stopped') engine.disconnected();
    if (state.type === 'down') events.emit({ type: 'lostConnection', reason: state.reason ?? 'lost' });
    if (state.type === 'stopped' && state.reason === 'cloned') becomeCloned();
    // Online is said when the drained mailbox is durable, not when the relay has sent it.
    if (state.type !== 'live') connection.set(connectionState(state));
  }

  const link: RelayLink = createRelayLink({
    url: relayUrl(device.server),
    dial: runtime.dial,
    runtime,
    // What it throws, as for a full disk, ends this attempt and not the link.
    answer: (challenge) => Promise.resolve(challenge).then(answerChallenge),
    committed: () => engine.committed(),
    events: { ...engine.linkEvents, stateChanged },
  });
  engine.attach(link);

  const sends = new SendQueue({ store, bus, clock, pump: () => engine.outbox.pump() });
  const parts: ConversationParts = {
    store,
    bus,
    runtime,
    own: address,
    closing: closing.signal,
    sends,
    marked: () => engine.marked(),
    sentMessage: (id) =>
      createSentMessage(id, {
        store,
        bus,
        closing: closing.signal,
        retry: (failed) => engine.outbox.retry(failed),
        cancel: (unsent) => engine.outbox.cancel(unsent),
      }),
  };

  function open(peer: AccountId): DirectConversation {
    const known = store.conversations.byPeer(peer);
    const row = known ?? store.transaction(() => store.conversations.ensureDirect(peer, clock.now()));
    engine.opened(row.id);
    return createDirectConversation(row, parts);
  }

  async function lookUp(username: string): Promise<AccountId> {
    const proof = crypto.usernameProof(username);
    if (proof === undefined) throw new UnknownUserError();
    const answer = await keyserver.lookupUsername(proof.hash);
    if (answer.ok) return answer.value;
    if (answer.code === 'not_found') throw new UnknownUserError();
    throw answer.code === 'unreachable' ? new UnreachableError() : new WaxwingError(answer.code);
  }

  let closed: Promise<void> | undefined;
  const refuseClosed = (): void => {
    if (closing.signal.aborted) throw new ClosedError();
  };

  const client: Client = {
    account: address.account,
    device: address.device,
    server: device.server,
    connection,
    async connect() {
      refuseClosed();
      if (connection.getSnapshot().state === 'cloned') throw new WaxwingError('cloned');
      const isDown = finalError(connection.getSnapshot()) !== undefined;
      if (isDown) connection.set({ state: 'connecting' });
      link.start();
      const state = await until(connection, (now) => now.state === 'online' || finalError(now) !== undefined);
      const code = finalError(state);
      if (code !== undefined) throw code === 'closed' ? new ClosedError() : new WaxwingError(code);
    },
    close() {
      closed ??= (async () => {
        sends.end();
        closing.abort(new ClosedError());
        await engine.tellLast();
        link.stop();
        connection.set({ state: 'closed' });
        await engine.stop();
        events.close();
        store.close();
      })();
      return closed;
    },
    [Symbol.asyncDispose]: () => client.close(),
    async direct(peer) {
      refuseClosed();
      const account = isAccountId(peer) ? peer : await lookUp(peer);
      if (!store.conversations.byPeer(account) && !engine.contacts.list(account)) {
        if ((await engine.contacts.fetch(account)) === 'missing') throw new UnknownUserError();
        refuseClosed();
      }
      return open(account);
    },
    conversation(id) {
      try {
        refuseClosed();
        const peer = peerOf(id);
        if (!store.conversations.byPeer(peer)) throw new UnknownUserError();
        return Promise.resolve(open(peer));
      } catch (error) {
        return Promise.reject(
          error instanceof ProtocolError || !(error instanceof Error) ? new UnknownUserError() : error,
        );
      }
    },
    ...createTrust({
      store,
      crypto,
      contacts: engine.contacts,
      closing: closing.signal,
      accepted: (account) => engine.accepted(account),
    }),
    conversations: () => createConversationsQuery(parts),
    inbox: (options) =>
      new InboxReader({ store, bus, closing: closing.signal }, options?.consumer ?? DEFAULT_CONSUMER, (row) => {
        const peer = store.conversations.byId(row.conversation)?.peer ?? row.from;
        return messageOf(row, directId(peer), statusReader(store)(row));
      }),
    search: (query, options = {}) =>
      Promise.resolve().then(() => {
        refuseClosed();
        return searchPage(store, query, options);
      }),
    token: (request) =>
      Promise.resolve().then(() => {
        refuseClosed();
        return token(request, clock.now());
      }),
    events: () => events.listen(),
    async explain(id) {
      refuseClosed();
      const nextTryMs = (row: number) => engine.outbox.nextTryMs(row);
      const now = (): ConnectionState => connection.getSnapshot();
      return Promise.resolve(explain(id, { store, disk, connection: now, identityPolicy, nextTryMs }));
    },
  };
  return client;
}

function relayUrl(server: string): string {
  const url = new URL('/v1/relay', server);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
