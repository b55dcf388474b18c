/** What a line that was entered asks for. */
export type Command =
  | { readonly type: 'nothing' }
  | { readonly type: 'say'; readonly text: string }
  | { readonly type: 'open'; readonly user: string }
  | { readonly type: 'search'; readonly words: string }
  | { readonly type: 'safety' | 'verified' | 'explain' }
  | { readonly type: 'help' | 'me' | 'retry' | 'leave' }
  | { readonly type: 'wrong'; readonly why: string };

/** What is typed, and what it does, in the order of `/help`. */
export const commands: readonly (readonly [typed: string, does: string])[] = [
  ['/open USER', 'talk with somebody: a username, an account id, or a number of the list'],
  ['/search WORDS', 'in all conversations: words, beginnings like tid*, phrases in quotes'],
  ['/safety', 'the number to compare, so that nobody stands between you'],
  ['/verified', 'you compared it, and it was the same'],
  ['/explain', 'why the newest thing that is not as it should be is so, and what comes next'],
  ['/retry', 'send again what failed'],
  ['/me', 'your account id'],
  ['/help', 'this page'],
  ['/quit', 'leave; what is not sent yet goes next time'],
];

/** Lines that begin with / are commands, but for those that begin with two: these are said, with one. */
export function commandOf(line: string): Command {
  const trimmed = line.trim();
  if (trimmed === '') return { type: 'nothing' };
  if (!trimmed.startsWith('/')) return { type: 'say', text: line };
  if (trimmed.startsWith('//')) return { type: 'say', text: trimmed.slice(1) };
  const [name = '', ...rest] = trimmed.split(/\s+/);
  const argument = rest.join(' ');
  switch (name) {
    case '/open':
    case '/o':
      return argument === '' ? { type: 'wrong', why: 'type: /open USER' } : { type: 'open', user: argument };
    case '/search':
    case '/s':
      return argument === '' ? { type: 'wrong', why: 'type: /search WORDS' } : { type: 'search', words: argument };
    case '/safety':
      return { type: 'safety' };
    case '/verified':
      return { type: 'verified' };
    case '/explain':
      return { type: 'explain' };
    case '/retry':
      return { type: 'retry' };
    case '/me':
      return { type: 'me' };
    case '/help':
    case '/h':
    case '/?':
      return { type: 'help' };
    case '/quit':
    case '/exit':
    case '/q':
      return { type: 'leave' };
    default:
      return { type: 'wrong', why: `there is no ${name}. Type /help, or // to begin a message with a slash` };
  }
}
