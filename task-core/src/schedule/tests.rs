//! Ticks of every kind, and what clocks do to them.

use super::*;

const ALL: Calendar = Calendar {
    minutes: (1 << 60) - 1,
    hours: (1 << 24) - 1,
    days: !1,
    months: 0b1_1111_1111_1110,
    weekdays: 0b111_1111,
    either_day: false,
    zone: "Europe/Berlin",
};

fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

/// The ticks between these moments.
fn ticks(calendar: Calendar, from: &str, to: &str) -> Vec<String> {
    let schedule = Schedule::calendar("as written", calendar);
    let due = schedule.due(at(from), at(to), usize::MAX);
    due.iter().map(Timestamp::to_string).collect()
}

fn daily(hour: u32, minute: u64) -> Calendar {
    Calendar {
        minutes: 1 << minute,
        hours: 1 << hour,
        ..ALL
    }
}

#[test]
fn every_is_aligned_to_1970_and_knows_no_time_zone() {
    let five = Schedule::every("5m", Duration::from_secs(300));
    for (moment, next) in [
        ("2026-03-29T00:59:59.999999Z", "2026-03-29T01:00:00Z"),
        ("2026-03-29T01:00:00Z", "2026-03-29T01:05:00Z"),
        ("1969-12-31T23:59:59.9999Z", "1970-01-01T00:00:00Z"),
        ("1969-12-31T23:50:00Z", "1969-12-31T23:55:00Z"),
    ] {
        assert_eq!(five.next_after(at(moment)), Some(at(next)), "{moment}");
    }
    let day = Schedule::every("1d", Duration::from_secs(86_400));
    assert_eq!(
        day.next_after(at("2026-03-29T12:00:00Z")),
        Some(at("2026-03-30T00:00:00Z"))
    );
    assert_eq!(day.next_after(Timestamp::MAX), None);
    assert_eq!(day.timezone(), None);
}

#[test]
fn a_local_time_that_is_left_out_ticks_at_the_change() {
    // At 2026-03-29 02:00 clocks in Berlin go to 03:00, which is 01:00 UTC.
    let found = ticks(daily(2, 30), "2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z");
    assert_eq!(
        found,
        [
            "2026-03-28T01:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-30T00:30:00Z"
        ]
    );
}

#[test]
fn several_local_times_that_are_left_out_are_one_tick() {
    let quarters = Calendar {
        minutes: 1 | 1 << 15 | 1 << 30 | 1 << 45,
        ..ALL
    };
    let found = ticks(quarters, "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z");
    assert_eq!(
        found,
        [
            "2026-03-29T00:45:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-29T01:15:00Z",
            "2026-03-29T01:30:00Z"
        ]
    );
}

#[test]
fn a_local_time_that_comes_twice_ticks_once_when_it_first_comes() {
    // At 2026-10-25 03:00 clocks in Berlin go back to 02:00, which is 01:00 UTC.
    let found = ticks(daily(2, 30), "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
    assert_eq!(found, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    let hourly = Calendar { minutes: 1, ..ALL };
    let found = ticks(hourly, "2026-10-24T23:30:00Z", "2026-10-25T03:00:00Z");
    assert_eq!(
        found,
        [
            "2026-10-25T00:00:00Z",
            "2026-10-25T02:00:00Z",
            "2026-10-25T03:00:00Z"
        ]
    );
}

#[test]
fn a_day_that_a_zone_leaves_out_ticks_at_the_change() {
    // Samoa went from the end of 2011-12-29 to the beginning of 2011-12-31.
    let noon = Calendar {
        zone: "Pacific/Apia",
        ..daily(12, 0)
    };
    let found = ticks(noon, "2011-12-29T12:00:00Z", "2012-01-01T12:00:00Z");
    assert_eq!(
        found,
        [
            "2011-12-29T22:00:00Z",
            "2011-12-30T10:00:00Z",
            "2011-12-30T22:00:00Z",
            "2011-12-31T22:00:00Z"
        ]
    );
}

#[test]
fn february_29_comes_in_leap_years_even_after_eight() {
    let leap = Calendar {
        days: 1 << 29,
        months: 1 << 2,
        zone: "UTC",
        ..daily(3, 0)
    };
    let schedule = Schedule::calendar("0 3 29 2 *", leap);
    assert_eq!(
        schedule.next_after(at("2026-11-20T00:00:00Z")),
        Some(at("2028-02-29T03:00:00Z"))
    );
    assert_eq!(
        schedule.next_after(at("2096-02-29T03:00:00Z")),
        Some(at("2104-02-29T03:00:00Z"))
    );
    let never = Schedule::calendar(
        "0 3 31 2 *",
        Calendar {
            days: 1 << 31,
            ..leap
        },
    );
    assert_eq!(never.next_after(at("2026-11-20T00:00:00Z")), None);
}

#[test]
fn a_day_by_number_and_by_weekday_matches_by_either() {
    // 2026-11-13 is a Friday.
    let either = Calendar {
        days: 1 << 20,
        weekdays: 1 << 5,
        either_day: true,
        zone: "UTC",
        ..daily(0, 0)
    };
    let found = ticks(either, "2026-11-12T00:00:00Z", "2026-11-28T00:00:00Z");
    assert_eq!(
        found,
        [
            "2026-11-13T00:00:00Z",
            "2026-11-20T00:00:00Z",
            "2026-11-27T00:00:00Z"
        ]
    );
    let found = ticks(
        Calendar {
            days: 1 << 18,
            ..either
        },
        "2026-11-12T00:00:00Z",
        "2026-11-20T00:00:00Z",
    );
    assert_eq!(
        found,
        [
            "2026-11-13T00:00:00Z",
            "2026-11-18T00:00:00Z",
            "2026-11-20T00:00:00Z"
        ]
    );
}

#[test]
fn a_long_absence_is_looked_at_from_its_end() {
    let second = Schedule::every("1s", Duration::from_secs(1)).missed(Missed::All);
    let (last, now) = (at("1990-01-01T00:00:00Z"), at("2026-11-20T00:00:00.5Z"));
    let (ticks, latest) = second.to_enqueue(last, now).expect("due");
    assert_eq!((ticks.len(), latest), (MOST_MISSED, at("2026-11-20T00:00:00Z")));
    assert_eq!(ticks[0], at("2026-11-19T23:58:21Z"));
}

#[test]
fn the_policy_says_which_missed_ticks_are_enqueued() {
    let hour = Schedule::every("1h", Duration::from_secs(3600));
    let enqueued = |missed, now: &str| {
        let due = hour
            .missed(missed)
            .to_enqueue(at("2026-11-20T00:00:00Z"), at(now));
        due.map(|(ticks, latest)| {
            (
                ticks.iter().map(Timestamp::to_string).collect::<Vec<_>>(),
                latest.to_string(),
            )
        })
    };
    let hours = |list: &[u8]| {
        list.iter()
            .map(|hour| format!("2026-11-20T0{hour}:00:00Z"))
            .collect::<Vec<_>>()
    };
    let late = "2026-11-20T03:20:00Z";
    let latest = "2026-11-20T03:00:00Z".to_owned();
    assert_eq!(enqueued(Missed::Skip, late), Some((vec![], latest.clone())));
    assert_eq!(enqueued(Missed::Once, late), Some((hours(&[3]), latest.clone())));
    assert_eq!(
        enqueued(Missed::All, late),
        Some((hours(&[1, 2, 3]), latest.clone()))
    );
    assert_eq!(
        enqueued(Missed::Skip, "2026-11-20T03:01:00Z"),
        Some((hours(&[3]), latest))
    );
    // A store whose clock went back has nothing due.
    assert_eq!(enqueued(Missed::All, "2026-11-19T03:00:00Z"), None);
}

/// Numbers that look random and are the same in every run.
fn numbers() -> impl Iterator<Item = u64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

#[test]
fn ticks_are_the_same_from_wherever_one_looks_and_every_one_matches_its_zone() {
    let mut numbers = numbers();
    let mut number = move || numbers.next().expect("endless");
    let zones = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "America/Havana",
        "Asia/Kathmandu",
    ];
    for _ in 0..150 {
        let calendar = Calendar {
            minutes: 1 << (number() % 60) | 1 << (number() % 60),
            hours: 1 << (number() % 24) | 1 << (number() % 4),
            days: (number() as u32 | 1 << 3) & !1,
            months: 0b1_1111_1111_1110,
            weekdays: (number() as u8 & 0x7f) | 1,
            either_day: number().is_multiple_of(2),
            zone: zones[(number() % 6) as usize],
        };
        let schedule = Schedule::calendar("any", calendar);
        let zone = jiff::tz::TimeZone::get(calendar.zone).expect("known");
        let from = Timestamp::from_second(1_700_000_000 + (number() % 100_000_000) as i64).expect("in range");
        let to = from + Duration::from_secs(60 * 86_400);
        let all = schedule.due(from, to, usize::MAX);
        assert!(all.is_sorted_by(|one, next| one < next), "{calendar:?}");
        for tick in &all {
            let local = zone.to_datetime(*tick);
            let is_change = zone
                .preceding(*tick + Duration::from_secs(1))
                .next()
                .map(|change| change.timestamp())
                == Some(*tick);
            let matches =
                calendar.minutes >> local.minute() & 1 == 1 && calendar.hours >> local.hour() & 1 == 1;
            assert!(matches || is_change, "{calendar:?} {tick}");
        }
        for _ in 0..20 {
            let moment = from + Duration::from_secs(number() % (59 * 86_400));
            let expected = all.iter().find(|tick| **tick > moment).copied();
            if expected.is_some() {
                assert_eq!(schedule.next_after(moment), expected, "{calendar:?} {moment}");
            }
        }
    }
}
