import { equal } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GERMAN_CALENDAR, isWorkingDay, technicalDeadline } from './working-days.ts';

const at = (text: string): number => Date.parse(text);

describe('the technical switch', () => {
  for (const [what, instant, deadline] of [
    ['on a working day has 24 hours', '2026-06-02T00:00:00+02:00', '2026-06-03T00:00:00+02:00'],
    ['on a Saturday has until the end of Monday', '2026-06-06T12:00:00+02:00', '2026-06-09T00:00:00+02:00'],
    [
      'on Good Friday has until the end of the Tuesday after',
      '2026-04-03T09:30:00+02:00',
      '2026-04-08T00:00:00+02:00',
    ],
    [
      'in the night in which summer time begins counts real hours',
      '2026-03-29T01:30:00+01:00',
      '2026-03-31T00:00:00+02:00',
    ],
    [
      'in the night in which summer time ends counts real hours',
      '2026-10-25T02:30:00+02:00',
      '2026-10-27T00:00:00+01:00',
    ],
    [
      'on the last minute before a weekend is still on time',
      '2026-06-05T23:59:00+02:00',
      '2026-06-06T23:59:00+02:00',
    ],
  ] as const) {
    it(what, () =>
      equal(
        new Date(technicalDeadline(at(instant), GERMAN_CALENDAR)).toISOString(),
        new Date(deadline).toISOString(),
      ),
    );
  }

  it('takes the day from the market’s time zone, not from ours', () => {
    equal(isWorkingDay(at('2026-06-07T22:30:00Z'), GERMAN_CALENDAR), true);
    equal(isWorkingDay(at('2026-06-07T22:30:00Z'), { ...GERMAN_CALENDAR, timeZone: 'UTC' }), false);
  });
});
