//! Doppler's API: secrets, OIDC exchange, revoke.
