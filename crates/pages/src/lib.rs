//! Cloudflare Pages direct upload: hashing, manifest, upload, deployment.
