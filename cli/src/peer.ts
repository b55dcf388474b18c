import { UnknownUserError, UnreachableError, type Client, type DirectConversation } from '@waxwing/client-core';
import { isAccountId, type AccountId } from '@waxwing/protocol';
import { Failure } from './failure.ts';
import type { Names } from './names.ts';
import { printable } from './printable.ts';

/** A person, as an account id or a username, for a message: a username is always asked of the server. */
export async function conversationWith(client: Client, names: Names, user: string): Promise<DirectConversation> {
  const account = accountId(user);
  try {
    const conversation = await client.direct(account ?? user);
    if (account === undefined) await names.keep(user, conversation.peer);
    return conversation;
  } catch (error) {
    if (error instanceof UnknownUserError) throw new Failure(`no such account or username: ${printable(user)}`);
    if (error instanceof UnreachableError) {
      throw new Failure(`the server does not answer, and only it knows who ${printable(user)} is`, { cause: error });
    }
    throw error;
  }
}

/** The conversation that this device has with a person. A username that was used here before needs no server. */
export async function knownConversation(client: Client, names: Names, user: string): Promise<DirectConversation> {
  const peer = await knownAccount(client, names, user);
  const id = await conversationIdWith(client, peer);
  if (id === undefined) throw new Failure(`no conversation with ${printable(user)} on this device`);
  return client.conversation(id);
}

/** A person's account. A username that was used here before needs no server. */
export async function knownAccount(client: Client, names: Names, user: string): Promise<AccountId> {
  return accountId(user) ?? names.account(user) ?? (await conversationWith(client, names, user)).peer;
}

/**
 * The conversation to open with a person: the server is asked who it is; where it does not answer, those who were known
 * before can be opened.
 */
export async function conversationNear(client: Client, names: Names, user: string): Promise<DirectConversation> {
  try {
    return await conversationWith(client, names, user);
  } catch (error) {
    if (!(error instanceof Failure && error.cause instanceof UnreachableError)) throw error;
    return knownConversation(client, names, user);
  }
}

async function conversationIdWith(client: Client, peer: AccountId) {
  const all = client.conversations();
  for (;;) {
    const { items, hasOlder } = all.getSnapshot();
    const found = items.find((item) => item.peer === peer);
    if (found || !hasOlder) return found?.id;
    await all.loadOlder();
  }
}

function accountId(user: string): AccountId | undefined {
  const lower = user.toLowerCase();
  return isAccountId(lower) ? lower : undefined;
}
