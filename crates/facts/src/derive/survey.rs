//! Surveys: what an answer means on the scale of its question, and which invitation it answered (KPIS.md §2).

use crate::Facts;
use crate::column::NULL;
use northing_model::money::{MICRO, div_half_even};

impl Facts {
    pub(crate) fn derive_response(&mut self, row: u32) {
        let (r, q) = (self.known.survey_response, self.known.question_version);
        let (value, question) = (self.get(r.table, r.value, row), self.get(r.table, r.question, row));
        let (mut grade, mut favour) = (NULL, NULL);
        if let (Ok(question), true) = (u32::try_from(question), value != NULL) {
            let get = |column| self.get(q.table, column, question);
            let (low, high) = (get(q.lowest), get(q.highest));
            let on_scale = low != NULL && high > low && (low..=high).contains(&value);
            let within = |from: i64, to: i64| from != NULL && to != NULL && (from..=to).contains(&value);
            if on_scale {
                let way = if get(q.favourable) == self.choices.favourable.low { high - value } else { value - low };
                favour = div_half_even(i128::from(way) * i128::from(MICRO), i128::from(high - low)).unwrap_or(NULL);
                grade = if within(get(q.good_from), get(q.good_to)) {
                    1
                } else if within(get(q.bad_from), get(q.bad_to)) {
                    -1
                } else {
                    0
                };
            }
        }
        self.set(r.table, r.grade, row, grade);
        self.set(r.table, r.favour, row, favour);
    }

    pub(crate) fn derive_invite(&mut self, row: u32) {
        let (i, r) = (self.known.survey_invite, self.known.survey_response);
        let sent = self.get(i.table, i.sent_at, row);
        let answers = self.children(r.table, r.invite, &[row]).into_iter();
        let first = answers.filter(|a| self.is_fit(r.table, *a) && self.get(r.table, r.value, *a) != NULL).map(|a| self.get(r.table, r.answered_at, a)).filter(|at| *at != NULL).min();
        self.set(i.table, i.answered_at, row, first.unwrap_or(NULL));
        self.set(i.table, i.answer_secs, row, first.filter(|_| sent != NULL).map_or(NULL, |at| at - sent));
    }
}
