//! Where a run puts things on a host: two of them must not lead to one place, nor one into another that is replaced as a whole.

use fault::{Fault, Result};

use crate::fragment::fragment;
use crate::upload::{Authority, as_user};
use crate::{Session, Unready, quote};

/// What helps against two destinations, one inside of the other.
const OVERLAP: &str =
    "put both into one SRC, or give each its own DEST: what is placed first would be replaced or lost";
const PLACES: &str = include_str!("fragment/places.sh");

/// The destinations of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    /// The uploads', as they were given.
    pub uploads: Vec<String>,
    /// The folder of the releases, if there is a release.
    pub base: Option<String>,
}

impl Destinations {
    /// Compares the paths as they were given. A relative path and an absolute one can only be compared on a host.
    ///
    /// # Errors
    /// A usage fault if one of them would replace or hide another.
    pub fn check(&self) -> Result<()> {
        match self.conflict(parts) {
            Some((one, other)) => {
                Err(Fault::usage(format!("two things go to one place: {one} and {other}")).help(OVERLAP))
            }
            None => Ok(()),
        }
    }

    /// The same with the places that the paths lead to on a host, where links are followed.
    ///
    /// # Errors
    /// What leads to one place, or that the connection was lost.
    pub async fn look(&self, session: &mut impl Session, authority: Authority<'_>) -> std::result::Result<(), Unready> {
        let paths: Vec<&String> = self.uploads.iter().chain(&self.base).collect();
        if paths.len() < 2 {
            return Ok(());
        }
        let absolute =
            |path: &&String| if path.starts_with('/') { quote(path) } else { format!("\"$HOME\"/{}", quote(path)) };
        let words: Vec<String> = paths.iter().map(absolute).collect();
        let text = format!(
            "{}sd_program={}\nsd_as sh -c \"$sd_program\" ssh-deploy {} | while IFS= read -r sd_row; do sd_say place \"$sd_row\"; done\n",
            as_user(authority),
            quote(&fragment(PLACES)),
            words.join(" ")
        );
        let answer = session.ask(&text).await?;
        let places: Vec<&str> = answer.iter().filter_map(|line| line.strip_prefix("place ")).collect();
        let place = |path: &str| {
            let index = paths.iter().position(|one| *one == path);
            parts(index.and_then(|index| places.get(index)).copied().unwrap_or(path))
        };
        match self.conflict(place) {
            Some((path, other)) => Err(Unready::Destination { path, why: format!("overlaps {other}") }),
            None => Ok(()),
        }
    }

    /// Two paths that are in each other's way. `place` returns the parts of the place that a path leads to.
    fn conflict<'a>(&self, place: impl Fn(&str) -> Vec<String> + 'a) -> Option<(String, String)> {
        let places: Vec<(&String, Vec<String>)> = self.uploads.iter().map(|path| (path, place(path))).collect();
        for (index, (path, one)) in places.iter().enumerate() {
            if let Some((other, _)) =
                places[..index].iter().find(|(_, other)| one.starts_with(other) || other.starts_with(one))
            {
                return Some(((*other).clone(), (*path).clone()));
            }
            let Some(base) = &self.base else { continue };
            let folder = place(base);
            // Beside the releases there is room, for a shared file for example.
            let taken = ["releases", "current", "shared"].map(|name| [folder.as_slice(), &[name.to_owned()]].concat());
            let inside = taken[..2].iter().any(|taken| one.starts_with(taken));
            if inside || taken.iter().any(|taken| taken.starts_with(one)) {
                return Some(((*path).clone(), base.clone()));
            }
        }
        None
    }
}

/// The parts of a path; the first is empty if it is absolute.
fn parts(path: &str) -> Vec<String> {
    let root = path.starts_with('/').then(String::new);
    root.into_iter().chain(path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::Destinations;

    fn clash(uploads: &[&str], base: Option<&str>) -> bool {
        let uploads = uploads.iter().map(|path| (*path).to_owned()).collect();
        Destinations { uploads, base: base.map(str::to_owned) }.check().is_err()
    }

    #[test]
    fn one_place_cannot_take_two_things() {
        for (one, other) in
            [("app", "app"), ("app", "app/.env"), ("app/.env", "./app//"), ("/srv/app/", "/srv/app/x/y")]
        {
            assert!(clash(&[one, other], None), "{one} {other}");
        }
        for (one, other) in [("app", "app2"), ("/app", "app"), ("srv/app/a", "srv/app/b")] {
            assert!(!clash(&[one, other], None), "{one} {other}");
        }
    }

    #[test]
    fn an_upload_goes_beside_the_releases_or_into_what_they_share() {
        for path in
            ["/srv", "/srv/app", "/srv/app/releases", "/srv/app/current/x", "/srv/app/releases/1", "/srv/app/shared"]
        {
            assert!(clash(&[path], Some("/srv/app")), "{path}");
        }
        for path in ["/srv/app/shared/.env", "/srv/app/conf", "/srv/apps", "srv/app"] {
            assert!(!clash(&[path], Some("/srv/app")), "{path}");
        }
    }
}
