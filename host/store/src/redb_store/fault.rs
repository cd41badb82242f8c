//! What can go wrong inside a transaction, and how much of it that spoils: damage spoils one
//! answer, everything else the whole transaction and the open database.

use whisperer_domain::port::StoreDown;

#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("{table}[{key}] {what}")]
    Damaged {
        table: &'static str,
        key: String,
        what: String,
    },
    #[error("the database failed")]
    Database(#[source] Box<redb::Error>),
    #[error("the system gives no random bytes")]
    Random(#[source] getrandom::Error),
    /// It is not open just now.
    #[error("the database is not open")]
    Absent,
}

impl Fault {
    /// For whoever asked: nothing was written.
    pub(super) fn to_down(&self) -> StoreDown {
        match self {
            Self::Damaged { .. } => StoreDown::Damaged(self.to_string()),
            Self::Database(source) => StoreDown::Reopening(source.to_string()),
            Self::Random(_) | Self::Absent => StoreDown::Reopening(self.to_string()),
        }
    }
}

impl From<redb::StorageError> for Fault {
    fn from(error: redb::StorageError) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

impl From<redb::TableError> for Fault {
    fn from(error: redb::TableError) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

impl From<redb::TransactionError> for Fault {
    fn from(error: redb::TransactionError) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

impl From<redb::CommitError> for Fault {
    fn from(error: redb::CommitError) -> Self {
        Self::Database(Box::new(error.into()))
    }
}
