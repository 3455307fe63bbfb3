//! What the commands that meet a shared gateway have in common: where it is met, and how it is started.
//!
//! It talks to nobody.

use crate::cli::arguments::Global;
use crate::cli::exit::Exit;
use crate::cli::startup;
use crate::cli::surroundings;
use crate::config::environment::Environment;
use crate::share::attach::Door;
use crate::share::launch::Launch;
use crate::share::place;
use crate::share::place::Place;
use crate::share::place::PlaceError;
use std::ffi::OsString;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// How long a client waits for its gateway to be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the clients of one file meet.
#[derive(Debug)]
pub struct Meet {
    /// The file, absolute.
    pub file: PathBuf,
    /// The folder with the socket, or what is wrong with it.
    pub place: Result<Place, PlaceError>,
    /// What the file may be read with.
    pub environment: Environment,
}

impl Meet {
    /// The place of the file that these options mean.
    ///
    /// # Errors
    /// The exit after the reason was shown.
    pub fn at(global: &Global) -> Result<Self, Exit> {
        let environment = surroundings::environment();
        let file = environment.current_folder().join(startup::find(global, &environment)?);
        let user = surroundings::user();
        let own = surroundings::runtime_folder();
        let folder = place::folder(global.runtime_dir.as_deref(), &environment, own);
        let place = Place::prepare(folder, &file, user);
        Ok(Self { file, place, environment })
    }
}

/// The way to the gateway of `file`; one that starts it if `start`.
#[must_use]
pub fn door(place: &Place, file: &Path, environment: &Environment, global: &Global, start: bool) -> Door {
    let binary = environment.own_binary_path().filter(|_| start);
    let launch = binary.map(|binary| Launch {
        binary: binary.to_owned(),
        spare: surroundings::spare_binary(),
        args: args(file, environment, global),
        patience: PATIENCE,
    });
    Door { place: place.clone(), launch, patience: PATIENCE }
}

/// The way to a gateway for the client of this process alone: clients share none any more.
#[must_use]
pub fn own_door(shared: &Door) -> Door {
    let pid = std::process::id();
    let launch = shared.launch.clone().map(|mut launch| {
        launch.args.extend(["--only-for".into(), pid.to_string().into()]);
        launch
    });
    Door { place: shared.place.only_for(pid), launch, patience: shared.patience }
}

/// The options of a gateway that is started for this client.
fn args(file: &Path, environment: &Environment, global: &Global) -> Vec<OsString> {
    let here = |path: &Path| environment.current_folder().join(path).into_os_string();
    let mut args: Vec<OsString> = vec!["--config".into(), file.into(), "--log-level".into()];
    args.push(global.log_level.clone().into());
    for (option, path) in [
        ("--cache-dir", &global.cache_dir),
        ("--runtime-dir", &global.runtime_dir),
        ("--state-dir", &global.state_dir),
        ("--log-file", &global.log_file),
    ] {
        if let Some(path) = path {
            args.extend([option.into(), here(path)]);
        }
    }
    for (option, given) in [("--no-cache", global.no_cache), ("--log-json", global.log_json)] {
        if given {
            args.push(option.into());
        }
    }
    args
}
