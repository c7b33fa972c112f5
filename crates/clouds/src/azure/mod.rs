//! Azure: its clouds, identities of Entra ID, and blobs in storage accounts.

pub mod blob;
mod connection;
mod identity;
mod shared_key;

pub use connection::Connection;
pub use identity::{AUDIENCE, Identity, Machine, Proof, machine_token};

/// One of Azure's clouds; identities and storage of one are unknown to the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    /// The default.
    #[default]
    Public,
    /// Azure Government of the United States.
    UsGovernment,
    /// Azure China, which 21Vianet runs.
    China,
}

impl Cloud {
    /// The cloud of that name in Terraform's `environment`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "public" | "global" | "azurepubliccloud" | "azurecloud" => Some(Self::Public),
            "usgovernment" | "usgovernmentl4" | "azureusgovernment" | "azureusgovernmentcloud" => {
                Some(Self::UsGovernment)
            }
            "china" | "azurechina" | "azurechinacloud" => Some(Self::China),
            _ => None,
        }
    }

    /// Where identities sign in.
    #[must_use]
    pub fn authority(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::UsGovernment => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }

    /// The domain under which storage accounts stand.
    #[must_use]
    pub fn blobs(self) -> &'static str {
        match self {
            Self::Public => "blob.core.windows.net",
            Self::UsGovernment => "blob.core.usgovcloudapi.net",
            Self::China => "blob.core.chinacloudapi.cn",
        }
    }

    /// The domain under which key vaults stand.
    #[must_use]
    pub fn vaults(self) -> &'static str {
        match self {
            Self::Public => "vault.azure.net",
            Self::UsGovernment => "vault.usgovcloudapi.net",
            Self::China => "vault.azure.cn",
        }
    }

    /// All of them.
    pub const ALL: [Self; 3] = [Self::Public, Self::UsGovernment, Self::China];
}

/// What a token is for: the storage of every cloud.
pub const STORAGE: &str = "https://storage.azure.com";

#[cfg(test)]
mod tests {
    use super::Cloud;

    #[test]
    fn terraforms_environments_are_azures_clouds() {
        for (name, domain) in [
            ("public", "blob.core.windows.net"),
            ("usgovernment", "blob.core.usgovcloudapi.net"),
            ("AzureUSGovernment", "blob.core.usgovcloudapi.net"),
            ("china", "blob.core.chinacloudapi.cn"),
        ] {
            assert_eq!(Cloud::of_name(name).map(Cloud::blobs), Some(domain), "{name}");
        }
        assert_eq!(Cloud::of_name("german"), None);
    }
}
