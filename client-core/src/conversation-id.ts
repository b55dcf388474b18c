import { parseAccountId, type AccountId } from '@waxwing/protocol';

declare const brand: unique symbol;
/** A conversation's name for apps: `direct:` and the other account. The same on all devices of an account. */
export type ConversationId = string & { readonly [brand]: 'ConversationId' };

export function directId(peer: AccountId): ConversationId {
  return `direct:${peer}` as ConversationId;
}

/** The peer of a direct conversation's id. Throws a `ProtocolError` for what is no such id. */
export function peerOf(id: ConversationId): AccountId {
  return parseAccountId(id.replace(/^direct:/, ''));
}
