//! `motif block fill`: fills a folder's volume to the last byte, or gives the room back.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, ValueEnum};

use super::catalogue::{Block, Error, Outcome};

/// The file that takes the room.
const NAME: &str = ".motif-fill";
/// More than a volume in memory ever has.
const MOST: u64 = 16 << 30;

/// Fill a volume to the last byte, or give the room back
#[derive(Debug, Parser)]
#[command(name = "fill", max_term_width = 100)]
pub struct Fill {
    /// What to do
    #[arg(value_name = "WAY")]
    way: Way,
    /// A folder of the volume
    #[arg(value_name = "PATH")]
    folder: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Way {
    Up,
    Back,
}

impl Block for Fill {
    const INTERNAL: bool = true;

    fn run(self) -> Result<Outcome, Error> {
        let path = self.folder.join(NAME);
        match self.way {
            Way::Up => {
                let mut file =
                    File::create(&path).with_context(|| format!("failed to make `{}`", path.display()))?;
                let mut piece = vec![0_u8; 1 << 16];
                let mut written = 0;
                while written < MOST && !piece.is_empty() {
                    written += match file.write(&piece) {
                        Ok(count) => count as u64,
                        Err(error) if error.kind() == ErrorKind::StorageFull => 0,
                        Err(error) => {
                            return Err(anyhow::Error::new(error)
                                .context("failed to fill the volume")
                                .into());
                        }
                    };
                    // The last bytes fit one by one.
                    if file.write(&piece[..1]).is_ok_and(|count| count == 1) {
                        written += 1;
                    } else {
                        piece.clear();
                    }
                }
            }
            Way::Back => match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(anyhow::Error::new(error)
                        .context(format!("failed to remove `{}`", path.display()))
                        .into());
                }
                _ => {}
            },
        }
        Ok(Outcome::Done)
    }
}
