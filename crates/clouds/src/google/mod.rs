//! Google Cloud: accounts, the tokens they are exchanged for, and objects in Cloud Storage.

mod account;
mod exchange;
pub mod metadata;
pub mod storage;
mod subject;

pub use account::Account;
pub use exchange::Impersonation;

/// The OAuth scope to read objects.
pub const STORAGE: &str = "https://www.googleapis.com/auth/devstorage.read_only";

/// The OAuth scope to use keys of Cloud KMS.
pub const KMS: &str = "https://www.googleapis.com/auth/cloudkms";

/// The OAuth scope for everything the account may do; needed to impersonate another account.
pub const PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
