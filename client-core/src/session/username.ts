import { usernames } from '@signalapp/libsignal-client';
import { limits, type RandomBytes, type UsernameJson } from '@waxwing/protocol';
import { native, unlessRefused } from './native.ts';

/** The discriminator that a bare nickname means. */
const defaultDiscriminator = '01';

/**
 * Base64url hash (32 bytes) and proof (128 bytes) of `nick.NN`; `nick` means `nick.01`, and case makes no difference.
 * Undefined for what no username can be.
 */
export function usernameProof(username: string, random: RandomBytes): UsernameJson | undefined {
  const [nickname = '', discriminator = defaultDiscriminator, ...rest] = username.split('.', 3);
  if (rest.length > 0) return undefined;
  const { nicknameMinLength, nicknameMaxLength } = limits;
  return unlessRefused(() => {
    const name = usernames.fromParts(nickname, discriminator, nicknameMinLength, nicknameMaxLength);
    const proof = usernames.generateProofWithRandom(name.username, native(random(32)));
    return { hash: Buffer.from(name.hash).toString('base64url'), proof: Buffer.from(proof).toString('base64url') };
  });
}
