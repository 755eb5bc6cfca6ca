//! What stocks ask of the scans: what is there at an instant, the mean over a time, values that are each for months.

use super::{Ask, Parted, Shape};
use crate::Result;
use northing_model::metric::{Agg, Measure};
use northing_model::money::TICKS;

impl Ask<'_, '_> {
    pub(super) fn stock(&mut self) -> Result<Shape> {
        let Some(state) = self.def.state.clone() else { return Err(self.broken("state")) };
        // What is open now may have been opened at any time before.
        self.bounds.insert(0, i64::MIN);
        let live = state.value.is_some() && self.frame.snapshot.fx.codes() > 1;
        let value = state.value.as_ref().map(|v| if live { format!("{v}__raw") } else { v.clone() });
        let agg = if value.is_some() { Agg::Sum } else { Agg::Count };
        let measure = |time: &str| Measure {
            from: state.from.clone(),
            agg,
            time: time.to_string(),
            until: None,
            filter: state.filter.clone(),
            value: value.clone(),
            minus: false,
            loose: false,
            finer: Vec::new(),
        };
        let (entered, left) = (measure(&state.since), measure(&state.until));
        let (mut entered, mut left) = (self.side(&[entered])?, self.side(&[left])?);
        if live {
            // By currency, so that each part is converted at the rate of the instant asked for.
            let code = format!("{}__cur", state.value.clone().unwrap_or_default());
            for term in entered.terms.iter_mut().chain(&mut left.terms) {
                let mut request = self.plan.requests[term.handle].clone();
                request.dims.push(Some(vec![code.clone()]));
                term.handle = self.plan.want(request, self.bounds.iter().copied());
                term.scale = TICKS;
            }
        }
        Ok(Shape::Stock { entered, left, live })
    }

    /// Numbers of rows with the sums of their instants: what the area under a stock is made of.
    pub(super) fn average(&mut self) -> Result<Shape> {
        let Some(state) = self.def.state.clone() else { return Err(self.broken("state")) };
        self.bounds.insert(0, i64::MIN);
        let mut side = |time: &str| {
            self.side(&[Measure {
                from: state.from.clone(),
                agg: Agg::Sum,
                time: time.to_string(),
                until: None,
                filter: state.filter.clone(),
                value: Some(time.to_string()),
                minus: false,
                loose: false,
                finer: Vec::new(),
            }])
        };
        Ok(Shape::Average { entered: side(&state.since)?, left: side(&state.until)? })
    }

    pub(super) fn parted(&mut self) -> Result<Shape> {
        let Some(state) = self.def.state.clone() else { return Err(self.broken("state")) };
        let from = self.frame.table(&state.from)?;
        self.cut_by(from)?;
        self.frame.filter(from).map_err(|unknown| self.no_path(&unknown, from))?;
        Ok(Shape::Parted(Parted { from, state }))
    }
}
