//! What a tool needs to sign in: the environment first, then Doppler, masked.
