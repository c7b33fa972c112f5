//! Google Cloud: accounts, what they are traded for, and objects in Cloud Storage.

mod account;
mod exchange;
pub mod metadata;
pub mod storage;
mod subject;

pub use account::Account;
pub use exchange::Impersonation;

/// What a token may be used for: reading objects.
pub const STORAGE: &str = "https://www.googleapis.com/auth/devstorage.read_only";

/// What a token may be used for: keys of Cloud KMS.
pub const KMS: &str = "https://www.googleapis.com/auth/cloudkms";

/// What a token may be used for: everything its account may do; needed to become another account.
pub const PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
