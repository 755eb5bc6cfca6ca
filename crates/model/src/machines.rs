//! Who opens mails and follows links without being a person: the rule of `model/machines.toml`. Knows of no records.

use crate::{ModelError, source};
use serde::Deserialize;
use std::collections::HashMap;

/// How machines are told from people.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machines {
    /// So many different links of one mail,
    pub links: usize,
    /// followed within so many seconds, were followed by a machine.
    pub within_secs: i64,
    /// The name of the link that nobody sees.
    pub hidden: String,
    /// Nobody follows a link this soon after a mail was sent.
    pub haste_secs: i64,
    agents_with: Vec<String>,
    agents: Vec<String>,
}

impl Machines {
    /// The rule that the product comes with.
    pub fn load() -> Result<Self, ModelError> {
        let place = "machines.toml";
        let text = source::files(place).into_iter().next().map(|(_, text)| text).unwrap_or_default();
        crate::object::parse_toml(place, &text)
    }

    /// Does a program that calls itself so act for nobody?
    pub fn is_agent(&self, agent: &str) -> bool {
        let lower = agent.to_lowercase();
        self.agents.iter().any(|whole| whole == agent.trim()) || self.agents_with.iter().any(|part| lower.contains(part.as_str()))
    }

    /// Which of these (instant, link) in order of time were followed by a machine: links within a moment, more of them
    /// than a person follows, or with the hidden one.
    pub fn bursts(&self, followed: &[(i64, &str)]) -> Vec<bool> {
        let mut machine = vec![false; followed.len()];
        // The links of the moment that begins with each, and how far is known to be a machine's.
        let mut links: HashMap<&str, usize> = HashMap::new();
        let (mut end, mut known) = (0, 0);
        for start in 0..followed.len() {
            while end < followed.len() && followed[end].0 - followed[start].0 <= self.within_secs {
                *links.entry(followed[end].1).or_default() += 1;
                end += 1;
            }
            let different = links.len() - usize::from(links.contains_key(""));
            if different >= self.links || links.contains_key(self.hidden.as_str()) {
                machine[known.max(start)..end].fill(true);
                known = end;
            }
            if let Some(n) = links.get_mut(followed[start].1) {
                *n -= 1;
                if *n == 0 {
                    links.remove(followed[start].1);
                }
            }
        }
        machine
    }
}

#[cfg(test)]
mod tests {
    use super::Machines;

    #[test]
    fn n22_people_follow_one_link_at_a_time() {
        let rule = Machines::load().expect("the product's own rule");
        assert_eq!(rule.bursts(&[(43, "a"), (43, "b"), (44, "c"), (90, "a")]), [true, true, true, false], "however long after the mail was sent");
        assert_eq!(rule.bursts(&[(43, "a"), (43, "b"), (46, "c")]), [false, false, false]);
        assert_eq!(rule.bursts(&[(43, "a"), (43, "a"), (43, "")]), [false, false, false], "one link followed twice is a double click");
        assert_eq!(rule.bursts(&[(43, "a"), (43, "hidden"), (99, "b")]), [true, true, false]);
        assert!(rule.is_agent("Barracuda Sentinel (EE)") && rule.is_agent("Mozilla/5.0"));
        assert!(!rule.is_agent("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"));
    }
}
