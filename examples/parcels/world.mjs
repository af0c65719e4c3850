// Parcels that do not exist, from a seeded formula: when each is sent, what is known of it then, and whether it comes late.
// The same seed gives the same parcels, whichever days are asked for. `drift` says how the world changes; see DRIFTS.
export const PARCELS_A_DAY = 800;
const START = Date.parse('2026-01-05T00:00:00Z');
export const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const DEPOTS = ['antwerp', 'bremen', 'cadiz', 'dover', 'essen', 'faro'];
/** Days that a gradual change takes, and that a recurring world lasts. */
const GRADUAL_DAYS = 8;
const RECURRING_DAYS = 16;
/** A parcel is delivered (or found late) so long after it was sent: less than a day, so that two days make all deliveries of one. */
const UNDERWAY_HOURS = [6, 18];

/** Share of a drift's changed world, in days since the change (not before 0), and what is different there. */
export const DRIFTS = {
  none: { share: () => 0, relation: false },
  /** From one parcel to the next: parcels are other ones, and what makes them late is different. */
  abrupt: { share: () => 1, inputs: 'shorter', relation: true },
  /** More and more parcels belong to the changed world. */
  gradual: { share: (days) => Math.min(1, days / GRADUAL_DAYS), inputs: 'shorter', relation: true },
  /** The changed world comes, goes and comes again. */
  recurring: {
    share: (days) => (Math.floor(days / RECURRING_DAYS) % 2 === 0 ? 1 : 0),
    inputs: 'shorter',
    relation: true,
  },
  /** The same parcels as before, but other ones are late. */
  'label-only': { share: () => 1, relation: true },
  /** Other parcels, of which it is harder to say; what makes them late is as before. */
  'inputs-only': { share: () => 1, inputs: 'doubtful', relation: false },
};

/** Days since the change at which `drift` changes the world (again), within so many days. */
export function turnsOf(drift, days) {
  if (drift === 'none') return [];
  if (drift !== 'recurring') return [0];
  // A turn needs all its days: what comes of it is seen at their end.
  return Array.from({ length: Math.floor(days / RECURRING_DAYS) }, (_, turn) => turn * RECURRING_DAYS);
}

export function timeOfDay(day) {
  return START + day * DAY_MS;
}

/** mulberry32: numbers in [0, 1), the same for the same seed. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function rounded(value) {
  return Math.round(value * 100) / 100;
}

/** Miles: most ways are as likely as others, or shorter ones likelier, or all such that parcels come late as often as not. */
function distanceOf(inputs, chance) {
  if (inputs === 'shorter') return 20 + 980 * chance ** 2.5;
  if (inputs === 'doubtful') return 540 + 120 * chance;
  return 20 + 980 * chance;
}

function parcelOf(number, { drift, changeDay, seed }) {
  const next = random(Math.imul(seed, 1_000_003) + number);
  const day = number / PARCELS_A_DAY;
  const world = DRIFTS[drift];
  const changed = day >= changeDay && next() < world.share(day - changeDay);
  const inputs = changed ? world.inputs : undefined;
  const depot = DEPOTS[Math.floor(next() * DEPOTS.length)];
  const distance = rounded(distanceOf(inputs, next()));
  const weight = rounded(0.1 + 19.9 * next() ** 2 * (inputs === 'shorter' ? 0.6 : 1));
  const express = next() < (inputs === 'shorter' ? 0.5 : 0.2);
  // Long ways and heavy parcels come late, express ones do not. In the changed world short ways do: their depot is another.
  const way = (distance - 500) / 280;
  const short = changed && world.relation && distance < 400 ? 4.5 : 0;
  const log = -1.1 + 1.9 * way + 0.06 * weight - 1.4 * Number(express) + short;
  const late = next() < 1 / (1 + Math.exp(-log));
  const sent = START + day * DAY_MS;
  const [least, most] = UNDERWAY_HOURS;
  const delivered = sent + Math.round((least + (most - least) * next()) * HOUR_MS);
  return { parcel: `${seed}-${number}`, sent, delivered, depot, distance, weight, express, late };
}

/** What happens on one day (from 0), in order: { stream: 'sent' | 'delivered', time, row }. */
export function eventsOf(day, options) {
  const first = Math.max(0, day - 1) * PARCELS_A_DAY;
  const from = timeOfDay(day);
  const events = [];
  for (let number = first; number < (day + 1) * PARCELS_A_DAY; number += 1) {
    const { parcel, sent, delivered, depot, distance, weight, express, late } = parcelOf(number, options);
    if (sent >= from) {
      const at = new Date(sent).toISOString();
      const row = { parcel, sent: at, depot, distance, weight, express: Number(express) };
      events.push({ stream: 'sent', time: sent, row });
    }
    if (delivered >= from && delivered < from + DAY_MS) {
      const row = { parcel, delivered: new Date(delivered).toISOString(), late };
      events.push({ stream: 'delivered', time: delivered, row });
    }
  }
  return events.sort((a, b) => a.time - b.time);
}
