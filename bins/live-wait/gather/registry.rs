//! Logins for registries, and the digests of images.

use cli::Console;
use fault::{Fault, Result};
use live::image::{DockerConfig, Image, Login, Reference, Wanted};
use live::swarm::WantedImage;
use runner::HomeRule;
use secrecy::ExposeSecret as _;

use super::gathered::Gathered;
use crate::args::TargetArgs;
use crate::waits::Request;

/// Variables, or secrets in Doppler, with the login for a registry.
pub(super) const NAMES: [&str; 2] = ["REGISTRY_USERNAME", "REGISTRY_PASSWORD"];

/// The registries that a wait reads from.
pub(super) fn registries(requests: &[Request]) -> Vec<&str> {
    let images = requests.iter().flat_map(|request| match &request.target {
        TargetArgs::Image(image) => &image.image[..],
        TargetArgs::Swarm(swarm) if swarm.resolve_image => &swarm.image[..],
        TargetArgs::Kube(kube) if kube.resolve_image => &kube.image[..],
        _ => &[],
    });
    let mut all: Vec<&str> = images.map(|image| image.registry.as_str()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Where Docker keeps logins.
pub(super) fn docker_config(console: &Console) -> Option<DockerConfig> {
    let environment = console.environment();
    let named = environment.get("DOCKER_CONFIG").map(Into::into);
    let folder = named.or_else(|| environment.home(HomeRule::VariableFirst).map(|home| home.join(".docker")))?;
    let environment = environment.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Some(DockerConfig { folder, environment })
}

impl Gathered {
    /// The login for a registry: the variables', else the one that Docker has.
    pub(super) async fn login(&mut self, registry: &str, console: &Console) -> Result<Option<Login>> {
        let [user, password] = NAMES.map(|name| self.found(name).cloned());
        if let Some(password) = password {
            // Registries that sign in with a token take any name.
            let user = user.map_or_else(|| "token".to_owned(), |user| user.expose_secret().to_owned());
            return Ok(Some(Login { user, password }));
        }
        let Some(config) = docker_config(console) else { return Ok(None) };
        let login = config.login(registry).await?;
        if let Some(login) = &login {
            self.hide("registry password", login.password.expose_secret(), console);
        }
        Ok(login)
    }

    /// An image and how it may be recognised where it runs.
    pub(super) async fn wanted_image(
        &mut self,
        reference: &Reference,
        resolve: bool,
        console: &Console,
    ) -> Result<WantedImage> {
        let mut digests: Vec<String> = reference.digest.iter().cloned().collect();
        if resolve {
            let login = self.login(&reference.registry, console).await?;
            let wanted = Wanted {
                reference: reference.clone(),
                also: Vec::new(),
                platforms: Vec::new(),
                digest: None,
                labels: Vec::new(),
            };
            let found = Image::new(wanted, login)?.digests().await;
            digests.extend(found.map_err(|fault: Fault| fault.context("--resolve-image failed"))?);
        }
        Ok(WantedImage { reference: reference.clone(), digests })
    }
}
