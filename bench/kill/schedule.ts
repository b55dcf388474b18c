export type Victim = 'relay' | 'sender' | 'receiver';
/** After so many messages are reported sent, these are killed at once. */
export type Kill = { readonly after: number; readonly victims: readonly Victim[] };

const alone: readonly (readonly Victim[])[] = [['relay'], ['sender'], ['receiver']];
const together: readonly (readonly Victim[])[] = [
  ['relay', 'sender'],
  ['relay', 'receiver'],
  ['sender', 'receiver'],
  ['relay', 'sender', 'receiver'],
];

/** `kills` moments spread over the messages: one in each stretch, at random in it; one in four takes several processes. */
export function killSchedule(messages: number, kills: number, random: () => number): Kill[] {
  const stretch = messages / (kills + 1);
  return Array.from({ length: kills }, (_, index) => {
    const choices = random() < 0.25 ? together : alone;
    const victims = choices[Math.floor(random() * choices.length)] ?? [];
    return { after: Math.floor(stretch * (index + 0.25 + random())), victims };
  });
}
