export type Speaker = 'Alice' | 'Bob';
export type Line = { readonly from: Speaker; readonly text: string };

/** While both are there. */
export const together: readonly Line[] = [
  { from: 'Alice', text: 'Hi Bob! Did you make it to the market this morning?' },
  { from: 'Bob', text: 'I did – came home with figs, two loaves and far too much fennel 😄' },
  { from: 'Alice', text: 'Meine Großmutter hätte daraus sofort Suppe gekocht. Crème fraîche dazu, fertig.' },
  { from: 'Bob', text: 'أمي تقول إن الحساء يحتاج إلى الكمون قبل كل شيء' },
  { from: 'Alice', text: 'जीरा तो हर चीज़ में अच्छा लगता है, तुम्हारी माँ सही कहती हैं' },
  { from: 'Bob', text: '那我今晚就煮汤,你七点能过来吗?' },
  { from: 'Alice', text: 'もちろん!パンは私が焼いていくね 🥖' },
  { from: 'Bob', text: 'Договорились. Захвати ещё ту книгу, про которую рассказывала' },
  { from: 'Alice', text: 'Και λίγο ελαιόλαδο από το χωριό, το καινούργιο' },
  { from: 'Bob', text: 'אין כמו שמן זית טרי 🫒 אני כבר רעב' },
];

/** While Bob's device is off. */
export const whileBobIsAway: readonly Line[] = [
  { from: 'Alice', text: '버스가 늦어서 칠 시 반쯤 도착할 것 같아' },
  { from: 'Alice', text: 'ขนมปังยังอยู่ในเตาอบ กลิ่นหอมมาก 👩🏽‍🍳' },
];

/** While the relay is gone too. */
export const whileRelayIsGone: readonly Line[] = [
  { from: 'Alice', text: 'Are you there? My phone says ✓ but it has gone quiet…' },
  { from: 'Alice', text: 'I am bringing my sister as well 👨‍👩‍👧, set one more place!' },
];

/** When everybody is back. */
export const again: readonly Line[] = [
  { from: 'Bob', text: 'Sorry, battery! I have all of it now: half past seven, your sister, the bread 🎉' },
  { from: 'Alice', text: 'Perfecto, ya estamos en la puerta. ¿Nos abres?' },
  { from: 'Bob', text: '🏃💨 coming down the stairs' },
];
