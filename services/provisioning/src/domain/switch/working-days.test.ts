import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { easterSunday, HOLIDAY_RULES, holidaysOf } from './holidays.ts';
import { deadlineIn, isWorkingDay, MARKETS, technicalDeadline } from './working-days.ts';

const GERMAN_CALENDAR = MARKETS.get('DE') ?? { timeZone: 'UTC', holidays: [] };
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

describe('holidays of any year', () => {
  for (const day of [
    '1818-03-22',
    '1943-04-25',
    '2000-04-23',
    '2024-03-31',
    '2026-04-05',
    '2027-03-28',
    '2038-04-25',
    '2285-03-22',
  ]) {
    it(`has Easter on ${day}`, () =>
      equal(new Date(easterSunday(Number(day.slice(0, 4)))).toISOString().slice(0, 10), day));
  }

  it('are those of Germany', () =>
    deepEqual(
      [...holidaysOf(HOLIDAY_RULES.DE, 2026)],
      [
        '2026-01-01',
        '2026-04-03',
        '2026-04-06',
        '2026-05-01',
        '2026-05-14',
        '2026-05-25',
        '2026-10-03',
        '2026-12-25',
        '2026-12-26',
      ],
    ));

  // gov.uk/bank-holidays: in 2026 Boxing Day, in 2027 both days of Christmas fall on a weekend.
  it('are made up for in England when they fall on a weekend', () => {
    const ends = (year: number): string[] =>
      [...holidaysOf(HOLIDAY_RULES.GB, year)].filter((day) => day.includes('-12-'));
    deepEqual(ends(2026), ['2026-12-25', '2026-12-28']);
    deepEqual(ends(2027), ['2027-12-27', '2027-12-28']);
    deepEqual([...holidaysOf(HOLIDAY_RULES.GB, 2026)].slice(3, 6), [
      '2026-05-04',
      '2026-05-25',
      '2026-08-31',
    ]);
  });

  it('move the deadline of the market that has them only', () => {
    const maundyThursday = at('2027-03-25T10:00:00+01:00');
    equal(deadlineIn('DE', maundyThursday), maundyThursday + 86_400_000);
    equal(deadlineIn('DK', maundyThursday), at('2027-03-31T00:00:00+02:00'));
  });
});
