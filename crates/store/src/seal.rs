//! What must be read again but not by whoever gets hold of the database: sealed with a key that lies beside it in a file
//! of its own (XChaCha20-Poly1305). It knows nothing of what it seals.

use crate::{Result, StoreError, private};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use std::path::Path;

/// The name of the file with the key.
pub(crate) const FILE: &str = "northing.key";
const KEY: usize = 32;
const NONCE: usize = 24;

/// Seals and opens with the workspace's key.
#[derive(Clone)]
pub struct Seal {
    cipher: XChaCha20Poly1305,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(crate) fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.is_ascii() && hex.len().is_multiple_of(2);
    digits.then(|| (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()).collect()).flatten()
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| StoreError::ReadOnly(format!("there is no randomness: {e}")))?;
    Ok(bytes)
}

impl Seal {
    /// With the key of the workspace in a folder; a new one where there is none.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let problem = |e: &dyn std::fmt::Display| StoreError::ReadOnly(format!("{}: {e}", path.display()));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => text,
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(problem(&e)),
            _ => {
                let text = hex(&random::<KEY>()?);
                private::write(&path, text.as_bytes()).map_err(|e| problem(&e))?;
                text
            }
        };
        let key = bytes(text.trim()).filter(|k| k.len() == KEY);
        let cipher = key.and_then(|k| XChaCha20Poly1305::new_from_slice(&k).ok());
        cipher.map(|cipher| Self { cipher }).ok_or_else(|| problem(&"this is no key; restore it from a backup, or remove it: one-time codes are then set up anew"))
    }

    /// Seals a secret; it is opened only under the same `about`.
    pub fn seal(&self, about: &str, secret: &[u8]) -> Result<String> {
        let nonce = random::<NONCE>()?;
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: about.as_bytes() });
        let sealed = sealed.map_err(|_| StoreError::ReadOnly("a secret could not be sealed".into()))?;
        Ok(hex(&nonce) + &hex(&sealed))
    }

    /// What was sealed, if it was with this key and under this `about`.
    pub fn open(&self, about: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = bytes(sealed)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        self.cipher.decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: about.as_bytes() }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_purpose_open_it() {
        let folders = [0, 1].map(|n| std::env::temp_dir().join(format!("northing-seal-{}-{n}", std::process::id())));
        folders.iter().for_each(|f| private::folder(f).unwrap_or_else(|e| panic!("{e}")));
        let seals = folders.each_ref().map(|f| Seal::of(f).unwrap_or_else(|e| panic!("{e}")));
        let sealed = seals[0].seal("wanda", b"secret").unwrap_or_default();
        assert_eq!(Seal::of(&folders[0]).ok().and_then(|s| s.open("wanda", &sealed)).as_deref(), Some(&b"secret"[..]));
        assert_ne!(seals[0].seal("wanda", b"secret").unwrap_or_default(), sealed);
        let mut changed = sealed.clone();
        changed.replace_range(60..61, if &sealed[60..61] == "0" { "1" } else { "0" });
        for (seal, about, text) in [(&seals[1], "wanda", sealed.as_str()), (&seals[0], "otto", &sealed), (&seals[0], "wanda", &changed), (&seals[0], "wanda", "00"), (&seals[0], "wanda", "żółć")] {
            assert_eq!(seal.open(about, text), None);
        }
        std::fs::write(folders[0].join(FILE), "short").unwrap_or_else(|e| panic!("{e}"));
        assert!(Seal::of(&folders[0]).is_err());
        folders.iter().for_each(|f| drop(std::fs::remove_dir_all(f)));
    }
}
