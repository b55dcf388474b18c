export type { AccountId, DeviceId, ErrorCode, MessageId } from '@waxwing/protocol';
export type { Client } from './client.ts';
export type { ConnectionState } from './connection-state.ts';
export type { ConversationId } from './conversation-id.ts';
export type { Conversation, Coverage, DirectConversation, OutgoingContent } from './conversation.ts';
export type { ConversationSummary } from './conversations-query.ts';
export * from './errors.ts';
export type { ClientEvent } from './events.ts';
export { holeReasons } from './history/coverage.ts';
export type { HoleReason } from './history/coverage.ts';
export type { HistoryOptions } from './history-query.ts';
export type { InboxMessage } from './inbox.ts';
export type { LiveQuery, QuerySnapshot } from './live-query.ts';
export type { HistoryItem, Message, MessageSequence, MessageStatus } from './message.ts';
export { traceCauses, type MessageTrace, type TraceCause } from './message-trace.ts';
export type { Observable } from './observable.ts';
export { createClient, generateStoreKey, openClient } from './open.ts';
export type { CreateOptions, OpenOptions, StoreOptions } from './open.ts';
export type { Runtime } from './runtime.ts';
export type { Page, SearchHit, SearchOptions } from './search.ts';
export type { SentMessage } from './sent-message.ts';
export type { IdentityPolicy } from './sync/send-hold.ts';
export type { HttpTokenRequest, TokenRequest } from './token-request.ts';
export type {
  AuthKeys,
  Crypto,
  CryptoChange,
  CryptoKind,
  CryptoView,
  Decrypted,
  DecryptFailure,
  Encrypted,
  LocalKeys,
  NumericFingerprint,
  Peer,
  PublicIdentity,
  SessionStarted,
} from './session/crypto.ts';
export type { SnippetPart } from './snippet.ts';
export { systemRuntime } from './system-runtime.ts';
export type { Channel, ChannelHandlers, Dial } from './transport/channel.ts';
export type { SafetyNumber, Trust } from './trust.ts';
export type { HttpRequest, HttpResponse, SendHttp } from './transport/http.ts';
