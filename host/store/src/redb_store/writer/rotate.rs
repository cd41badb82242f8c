//! Exchanging the key, beside the load. The order is all there is to it:
//!
//! | step | key file | the file's key | sealed under |
//! |---|---|---|---|
//! | before | old | old | old |
//! | 1. the key file gets the new key before the old one | new, old | old | old |
//! | 2. with the first rows sealed anew, the database names the new key | new, old | new | both |
//! | 3. row by row (`batch/rekey.rs`) | new, old | new | both, then new |
//! | 4. the key file loses the old key | new | new | new |
//!
//! Each step is on disk before the next begins, so whatever cuts it off leaves one of these rows;
//! the next start finds more than one key, or none, and goes on by that alone.

use whisperer_domain::port::Rotated;

use super::Writer;
use crate::error::StoreError;
use crate::redb_store::batch::Rekeying;
use crate::redb_store::command::Reply;
use crate::redb_store::key::{self, KEYS_MAX, Key};
use crate::redb_store::seal::Seal;

impl Writer {
    /// Step 1. What follows is done by the transactions from now on.
    pub(super) fn rotate(&mut self, reply: Reply<Result<Rotated, StoreError>>) {
        match self.take_new_key() {
            Ok(()) => self.rotating.push(reply),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    fn take_new_key(&mut self) -> Result<(), StoreError> {
        let key_file = self.opener.key_file();
        if self.keys.key_ids().len() >= KEYS_MAX {
            return Err(StoreError::KeysMax {
                key_file: key_file.to_owned(),
                keys: KEYS_MAX,
            });
        }
        let key = Key::random()?;
        let keys = self.keys.after(key.clone());
        key::replace(key_file, &keys.ring())?;
        let open: Seal = self.shared.seal.load().after(key);
        self.shared.seal.store(open.into());
        tracing::info!(key = %keys.key_id(), "a new key seals from now on; what is there follows");
        self.now_in_the_file(keys);
        self.state.rekeying = Some(Rekeying::default());
        Ok(())
    }

    fn now_in_the_file(&mut self, keys: Seal) {
        self.shared.keys.store(keys.key_ids().into());
        self.keys = keys;
    }

    /// Step 4, after the commit of the last rows.
    pub(super) fn finish_rotation(&mut self, rekeyed: &Rekeying) {
        let keys = self.keys.only(|key| rekeyed.left.contains_key(&key));
        let written = if keys.key_ids() == self.keys.key_ids() {
            Ok(())
        } else {
            key::replace(self.opener.key_file(), &keys.ring())
        };
        let left: u64 = rekeyed.left.values().sum();
        match &written {
            Ok(()) => {
                tracing::info!(
                    key = %keys.key_id(),
                    resealed = rekeyed.resealed,
                    left,
                    "everything that opens is sealed under the newest key"
                );
                self.now_in_the_file(keys);
            }
            Err(error) => {
                tracing::error!(%error, "older keys stay in the key file: the next start tries again");
            }
        }
        for reply in self.rotating.drain(..) {
            let result = match &written {
                Ok(()) => Ok(Rotated {
                    key: self.keys.key_id().to_string(),
                    resealed: rekeyed.resealed,
                    left,
                }),
                Err(error) => Err(StoreError::OldKeysKept {
                    key_file: self.opener.key_file().to_owned(),
                    reason: error.to_string(),
                }),
            };
            // Whoever asked may have gone; the key is exchanged all the same.
            let _ = reply.send(result);
        }
    }
}
