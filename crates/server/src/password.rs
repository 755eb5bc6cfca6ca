//! Passwords and one-time codes: what is accepted as one, how it is kept, how often it may be tried.
//!
//! Argon2id with the ASVS minimum (19 MiB, two passes): 40 ms on the machine that it was measured on, two at a time.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Mutex;

/// First digits of the SHA-256 of often used passwords of eight characters and more, sorted. From lists of leaked ones.
const COMMON: &str = include_str!("../data/common-passwords.txt");
const DIGITS: usize = 12;
const SHORTEST: usize = 10;
const LONGEST: usize = 200;

fn argon() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19_456, 2, 1, None).unwrap_or_default())
}

/// Why a password is not taken, as a word of the web app's.
pub fn refused(password: &str, names: &[&str]) -> Option<&'static str> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Some("password-short");
    }
    if length > LONGEST {
        return Some("password-long");
    }
    let lower = password.to_lowercase();
    let core = lower.trim_end_matches(|c: char| !c.is_alphabetic()).trim_start_matches(|c: char| !c.is_alphabetic());
    let one_character = lower.chars().all(|c| lower.starts_with(c));
    let named = names.iter().any(|n| n.chars().count() > 3 && lower.contains(&n.to_lowercase()));
    (one_character || named || is_common(&lower) || is_common(core)).then_some("password-common")
}

fn is_common(text: &str) -> bool {
    let hash: String = Sha256::digest(text.as_bytes()).iter().take(DIGITS / 2).map(|b| format!("{b:02x}")).collect();
    let lines = COMMON.len() / (DIGITS + 1);
    let line = |i: usize| &COMMON[i * (DIGITS + 1)..i * (DIGITS + 1) + DIGITS];
    let (mut low, mut high) = (0, lines);
    while low < high {
        let middle = (low + high) / 2;
        if line(middle) < hash.as_str() { low = middle + 1 } else { high = middle }
    }
    low < lines && line(low) == hash
}

pub fn hashed(password: &str) -> Result<String, getrandom::Error> {
    let mut salt = [0u8; 16];
    getrandom::fill(&mut salt)?;
    // Fails on lengths only, which are fixed or checked.
    Ok(argon().hash_password_with_salt(password.as_bytes(), &salt).map(|h| h.to_string()).unwrap_or_default())
}

/// Is it the password? Without a hash the same work is done and the answer is no, so that nobody learns who exists.
pub fn is(password: &str, hash: Option<&str>) -> bool {
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let password = if password.chars().count() > LONGEST { "" } else { password };
    let found = PasswordHash::new(hash.unwrap_or(NOBODY)).is_ok_and(|h| argon().verify_password(password.as_bytes(), &h).is_ok());
    found && hash.is_some()
}

fn totp(secret: &[u8]) -> Option<totp_rs::Totp> {
    totp_rs::Builder::new().with_secret(secret.to_vec()).build().ok()
}

/// The step of a code that is good now and later than the last one taken.
pub fn code_step(secret: &[u8], code: &str, last: i64, now: i64) -> Option<i64> {
    let step = totp(secret)?.check(code.trim(), u64::try_from(now).ok()?)?;
    i64::try_from(step).ok().filter(|s| *s > last)
}

/// A secret as people type it into their app.
pub fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut text, mut held, mut bits) = (String::new(), 0u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(LETTERS[(held >> bits) as usize & 31] as char);
        }
    }
    if bits > 0 {
        text.push(LETTERS[(held << (5 - bits)) as usize & 31] as char);
    }
    text
}

/// Failed tries in a row by name; each beyond so many that are free doubles the wait, up to a quarter of an hour.
#[derive(Default)]
pub struct Tries {
    failed: Mutex<HashMap<String, (u32, i64)>>,
}

/// What a try counts for, and how many of those are free.
pub type Name = (String, u32);

/// Of one account: for who forgot, not for who guesses.
pub const FREE: u32 = 5;
/// Of one address with any accounts: ten, and ten more as the wait grows to ten minutes.
const FREE_ADDRESS: u32 = 10;
/// Of one account from anywhere: so many addresses are somebody's who has many.
const FREE_ANYWHERE: u32 = 50;
const LONGEST_WAIT: i64 = 900;
const MOST_NAMES: usize = 10_000;

/// A password that is tried: for the account from there, for the account from anywhere, for there with any account.
/// Whoever guesses elsewhere does not lock out the person itself.
pub fn names(account: &str, from: Option<&str>) -> Vec<Name> {
    let from_there = from.map(|from| [(format!("at {from}: {account}"), FREE), (format!("at {from}"), FREE_ADDRESS)]);
    let anywhere = if from.is_some() { FREE_ANYWHERE } else { FREE };
    from_there.into_iter().flatten().chain([(format!("account {account}"), anywhere)]).collect()
}

impl Tries {
    /// Seconds to wait before the next try; a try that need not wait is counted as failed at once, one that must is not.
    pub fn wait(&self, names: &[Name], now: i64) -> i64 {
        let Ok(mut failed) = self.failed.lock() else { return LONGEST_WAIT };
        if failed.len() >= MOST_NAMES {
            failed.retain(|_, (_, at)| now - *at < LONGEST_WAIT);
        }
        let so_far = |failed: &HashMap<String, (u32, i64)>, name: &str| {
            let (times, at) = failed.get(name).copied().unwrap_or((0, 0));
            (if now - at > 2 * LONGEST_WAIT { 0 } else { times }, at)
        };
        let left = |(name, free): &Name| {
            let (times, at) = so_far(&failed, name);
            let needed = if times < *free { 0 } else { (1i64 << (times - free).min(10)).min(LONGEST_WAIT) };
            (at + needed - now).clamp(0, LONGEST_WAIT)
        };
        let longest = names.iter().map(left).max().unwrap_or(0);
        if longest == 0 {
            for (name, _) in names {
                let times = so_far(&failed, name).0 + 1;
                failed.insert(name.clone(), (times, now));
            }
        }
        longest
    }
    pub fn succeeded(&self, names: &[Name]) {
        if let Ok(mut failed) = self.failed.lock() {
            for (name, _) in names {
                failed.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords() {
        assert_eq!(refused("short", &[]), Some("password-short"));
        assert_eq!(refused("password123", &[]), Some("password-common"));
        assert_eq!(refused("Motorola2024!", &[]), Some("password-common"));
        assert_eq!(refused("aaaaaaaaaaaa", &[]), Some("password-common"));
        assert_eq!(refused("wanda@shop.example", &["wanda@shop.example"]), Some("password-common"));
        assert_eq!(refused("orange tiles on the quay", &["wanda@shop.example"]), None);
        let hash = hashed("orange tiles on the quay").unwrap_or_default();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(is("orange tiles on the quay", Some(&hash)) && !is("orange tiles on the key", Some(&hash)) && !is("x", None));
    }

    #[test]
    fn the_longest_password_opens_and_a_longer_one_is_refused() {
        let longest: String = (0..LONGEST).map(|i| char::from(b'a' + (i * i % 23) as u8)).collect();
        assert_eq!(refused(&longest, &[]), None);
        assert_eq!(refused(&format!("{longest}x"), &[]), Some("password-long"));
        let hash = hashed(&longest).unwrap_or_default();
        assert!(is(&longest, Some(&hash)) && !is(&format!("{longest}x"), Some(&hash)));
    }

    /// The vectors of RFC 4648, without their padding.
    #[test]
    fn secrets_are_written_in_letters() {
        for (bytes, text) in [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(base32(bytes.as_bytes()), text, "{bytes}");
        }
    }

    /// Ten thousand tries within ten minutes: how many are looked at.
    fn checked(tries: &Tries, of: impl Fn(i64) -> Vec<Name>) -> usize {
        (0..10_000).filter(|n| tries.wait(&of(*n), n * 600 / 10_000) == 0).count()
    }

    #[test]
    fn tries_are_slowed_down() {
        let tries = Tries::default();
        let one = checked(&tries, |_| names("a", Some("1.1.1.1")));
        assert!((FREE as usize..=20).contains(&one), "{one} tries of one account were checked");
        // The person itself is somewhere else, and a colleague beside whoever guesses.
        assert_eq!((tries.wait(&names("a", Some("2.2.2.2")), 600), tries.wait(&names("b", None), 600)), (0, 0));
        let many = checked(&Tries::default(), |n| names(&n.to_string(), Some("1.1.1.1")));
        assert!((FREE_ADDRESS as usize..=20).contains(&many), "{many} tries of many accounts were checked");
        let spread = checked(&Tries::default(), |n| names("a", Some(&n.to_string())));
        assert!((FREE_ANYWHERE as usize..=60).contains(&spread), "{spread} tries from many addresses were checked");
        let nowhere = checked(&Tries::default(), |_| names("a", None));
        assert!(nowhere <= 20, "{nowhere} tries from nobody knows where were checked");
    }

    /// The vectors of RFC 6238 for SHA-1 with its 20-byte secret, six digits of eight.
    #[test]
    fn codes() {
        let secret = b"12345678901234567890";
        for (at, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            let step = code_step(secret, code, 0, at).unwrap_or_default();
            assert!((step - at / 30).abs() <= 1);
            assert_eq!(code_step(secret, code, step, at), None, "a code is good once");
        }
        assert_eq!(base32(b"12345678901234567890"), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }
}
