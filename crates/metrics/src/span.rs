//! Periods as instants: where a bucket begins and ends, and how much of it has passed.

use crate::question::{Compare, Question};
use northing_facts::Settings;
use northing_model::Period;

/// One bucket of time. `end` is cut at the clock for a period that still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    pub days: Period,
    pub start: i64,
    pub end: i64,
    pub complete: bool,
    /// Begins after the clock.
    pub future: bool,
}

impl Span {
    pub fn of(days: Period, settings: &Settings, now: i64) -> Self {
        let (start, whole) = (settings.zone.midnight(days.start), settings.zone.midnight(days.end));
        let complete = whole <= now;
        let end = if complete { whole } else { now.max(start) };
        Self { days, start, end, complete, future: start >= now && !complete }
    }

    /// The trailing window of some days that ends where this span ends.
    pub fn trailing(&self, days: i64) -> Self {
        let start = self.end - days * 86_400;
        Self { start, ..*self }
    }

    /// The same span so many days earlier.
    pub fn back(&self, days: i64, settings: &Settings) -> Self {
        let move_day = |day: i32| day.saturating_sub(days as i32);
        self.earlier(Period { start: move_day(self.days.start), end: move_day(self.days.end) }, settings)
    }

    /// All of the period, what lies ahead included: for what is planned or expected.
    pub fn whole(&self, settings: &Settings) -> Self {
        Self { start: settings.zone.midnight(self.days.start), end: settings.zone.midnight(self.days.end), future: false, complete: true, ..*self }
    }

    /// The earlier span that a span of the question is compared with; a running one with the same elapsed part.
    pub fn earlier(&self, days: Period, settings: &Settings) -> Self {
        let start = settings.zone.midnight(days.start);
        let whole = settings.zone.midnight(days.end);
        let end = if self.complete { whole } else { (start + (self.end - self.start)).min(whole) };
        Self { days, start, end, complete: self.complete, future: self.future }
    }
}

/// The buckets of a question, the whole range, and their earlier counterparts if it compares.
pub struct Spans {
    pub buckets: Vec<Span>,
    pub total: Span,
    pub earlier: Option<(Vec<Option<Span>>, Span)>,
}

pub fn spans(question: &Question, settings: &Settings) -> Spans {
    let week_start = settings.week_start;
    let pieces = question.period.cut(question.grain, question.calendar, week_start);
    let of = |p: &Period| Span::of(*p, settings, question.now);
    let buckets: Vec<Span> = pieces.iter().map(of).collect();
    let total = of(&question.period);
    let earlier = question.compare.map(|compare| {
        // Every bucket moves by the same distance as the whole range, so that each keeps its length.
        let shift = |p: Period| match compare {
            Compare::Previous => question.period.before(p, question.calendar),
            Compare::Year => p.year_before(question.calendar),
        };
        let paired = buckets.iter().map(|b| Some(b.earlier(shift(b.days), settings))).collect();
        (paired, total.earlier(shift(question.period), settings))
    });
    Spans { buckets, total, earlier }
}
