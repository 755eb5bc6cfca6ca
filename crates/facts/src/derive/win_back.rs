//! What became of customers after they were lost: when they bought or signed again, what that was worth, and whether
//! a mailing had reached them by then (KPIS.md, win_back_rate).
//!
//! Must not decide who is lost: stretches of activity do.

use super::customer::Purchase;
use crate::Facts;
use crate::column::NULL;

/// Coming back: when, what it was worth, and the same as entered (null, and not, where it has no rate).
type Return = (i64, i64, i64);

impl Facts {
    /// What a customer bought and signed, in order.
    pub(super) fn comings(&self, members: &[u32], purchases: &[Purchase]) -> Vec<Return> {
        let n = self.known.contract;
        let (table, value) = self.purchase_values();
        let mut all: Vec<Return> = purchases.iter().map(|p| (p.0, self.get(table, value, p.2), self.get(table, value + 1, p.2))).collect();
        let signed = self.children(n.table, n.customer, members).into_iter().filter(|c| self.counted(n.table, *c));
        all.extend(signed.map(|c| (self.get(n.table, n.starts_at, c), self.get(n.table, n.value, c), self.get(n.table, n.value__raw, c))).filter(|c| c.0 != NULL));
        all.sort_by_key(|c| c.0);
        all
    }

    /// The columns of a stretch of activity that say what came after its end. Stretches that meet are one, so that every
    /// end is a loss.
    pub(super) fn after_loss(&self, until: i64, comings: &[Return], members: &[u32]) -> Vec<(usize, i64)> {
        let (a, s) = (self.known.customer_active, self.known.send);
        // Every column each time: a row may have been another stretch before.
        let said = |secs, worth: (i64, i64), campaign, reached| vec![(a.return_secs, secs), (a.return_value, worth.0), (a.return_value__raw, worth.1), (a.campaign_sent, campaign), (a.reached, reached)];
        if until == NULL {
            return said(NULL, (NULL, NULL), NULL, NULL);
        }
        let back = comings.iter().find(|c| c.0 > until);
        let end = until.saturating_add(self.settings.days("win_back_days")).min(back.map_or(i64::MAX, |b| b.0));
        let (delivery, reached) = (self.choices.send_delivery, self.choices.reached);
        // The last that arrived, and the last that was held back.
        let (mut written, mut held) = (None, None);
        for send in self.children(s.table, s.customer, members) {
            let get = |column| self.get(s.table, column, send);
            let (at, how) = (get(s.sent_at), get(s.delivery));
            if self.is_fit(s.table, send) && at >= until && at <= end {
                let found = Some((at, get(s.campaign_sent)));
                if how == delivery.delivered {
                    written = written.max(found);
                } else if how == delivery.held_out {
                    held = held.max(found);
                }
            }
        }
        let (reached, campaign) = match (written, held) {
            (Some((_, campaign)), _) => (reached.written_to, campaign),
            (None, Some((_, campaign))) => (reached.held_out, campaign),
            (None, None) => (reached.not_written_to, NULL),
        };
        let (secs, value) = back.map_or((NULL, (NULL, NULL)), |b| (b.0 - until, (b.1, b.2)));
        said(secs, value, campaign, reached)
    }
}
