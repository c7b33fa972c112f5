//! The GitHub Actions runner's protocol: commands, files, masks, context.
