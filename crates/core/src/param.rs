//! A parameter's name, unit, default and bounds, declared once: parsing, messages, catalogue and docs read it here.

/// What a parameter's value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number within bounds, both included.
    Integer {
        /// Value when the caller gives none.
        default: u64,
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
    },
    /// A finite number within bounds, both included.
    Real {
        /// Value when the caller gives none.
        default: f64,
        /// Smallest allowed.
        min: f64,
        /// Largest allowed.
        max: f64,
    },
    /// One word of a list; the first is the default.
    Choice(&'static [&'static str]),
    /// Yes or no.
    Flag(bool),
    /// A picture's bytes; required.
    Picture,
    /// Numbers of the caller's; required.
    Numbers(&'static str),
}

/// A set of values that stand where the caller gives none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// This service's defaults.
    #[default]
    Clean,
    /// The values of the code of arXiv 2502.03957.
    Paper,
    /// The fewest passes with which an explanation is still good.
    Fast,
    /// What most want.
    Balanced,
    /// The best explanation.
    Thorough,
}

impl Preset {
    /// All that have a name.
    pub const NAMED: [Self; 4] = [Self::Paper, Self::Fast, Self::Balanced, Self::Thorough];

    /// The name with its exact version; empty for the defaults.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clean => "",
            Self::Paper => "paper@1",
            Self::Fast => "fast@1",
            Self::Balanced => "balanced@1",
            Self::Thorough => "thorough@1",
        }
    }

    /// The preset of this name, with its version or without.
    pub fn named(name: &str) -> Option<Self> {
        let versioned =
            |preset: &Self| preset.name() == name || preset.name().split('@').next() == Some(name);
        if name.is_empty() { Some(Self::Clean) } else { Self::NAMED.into_iter().find(versioned) }
    }
}

/// A value that a preset puts in the default's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// For [`Kind::Integer`].
    Integer(u64),
    /// For [`Kind::Real`].
    Real(f64),
    /// For [`Kind::Flag`].
    Flag(bool),
}

/// One parameter of a method or fill.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Param {
    /// The field's name, as in the protocol.
    pub name: &'static str,
    /// Unit of the value; empty for a bare number.
    pub unit: &'static str,
    /// Value, bounds, default.
    pub kind: Kind,
    /// Value under [`Preset::Paper`], where that is another.
    pub paper: Option<Value>,
    /// What it does, in one sentence.
    pub help: &'static str,
    /// Where the default comes from.
    pub source: &'static str,
}

/// Digits of a value that is told.
const LONGEST: usize = 24;

/// One reason why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, dotted, as in the protocol.
    pub field: String,
    /// What was got, what is allowed, what to do.
    pub message: String,
}

impl Violation {
    /// A violation of `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl Param {
    /// The given whole number, or the preset's; a value out of bounds is reported under `path` and replaced by the preset's.
    pub fn integer(
        &self,
        given: Option<u64>,
        preset: Preset,
        path: &str,
        violations: &mut Vec<Violation>,
    ) -> u64 {
        let Kind::Integer { default, min, max } = self.kind else {
            unreachable!("{} is declared as a whole number", self.name)
        };
        let absent = match (preset, self.paper) {
            (Preset::Paper, Some(Value::Integer(value))) => value,
            _ => default,
        };
        self.bounded(given, absent, (min, max), path, violations)
    }

    /// The given number, or the preset's; a value out of bounds or not finite is reported and replaced by the preset's.
    pub fn real(
        &self,
        given: Option<f64>,
        preset: Preset,
        path: &str,
        violations: &mut Vec<Violation>,
    ) -> f64 {
        let Kind::Real { default, min, max } = self.kind else {
            unreachable!("{} is declared as a number", self.name)
        };
        let absent = match (preset, self.paper) {
            (Preset::Paper, Some(Value::Real(value))) => value,
            _ => default,
        };
        self.bounded(given, absent, (min, max), path, violations)
    }

    /// The given answer, or the preset's.
    pub fn flag(&self, given: Option<bool>, preset: Preset) -> bool {
        let Kind::Flag(default) = self.kind else { unreachable!("{} is declared as yes or no", self.name) };
        let absent = match (preset, self.paper) {
            (Preset::Paper, Some(Value::Flag(value))) => value,
            _ => default,
        };
        given.unwrap_or(absent)
    }

    fn bounded<T: PartialOrd + Copy + std::fmt::Display>(
        &self,
        given: Option<T>,
        absent: T,
        (min, max): (T, T),
        path: &str,
        violations: &mut Vec<Violation>,
    ) -> T {
        match given {
            None => absent,
            Some(v) if (min..=max).contains(&v) => v,
            Some(v) => {
                violations.push(self.out_of_bounds(path, v, min, max));
                absent
            }
        }
    }

    fn out_of_bounds<T: std::fmt::Display>(&self, path: &str, got: T, min: T, max: T) -> Violation {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        let mut got = got.to_string();
        // A float of 300 digits is no easier to read than its first ones.
        if got.len() > LONGEST {
            got.truncate(LONGEST);
            got += "...";
        }
        // A field of the request itself lies below nothing.
        let field = if path.is_empty() { self.name.to_owned() } else { format!("{path}.{}", self.name) };
        Violation::new(field, format!("got {got}, allowed is {min} to {max}{unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGMA: Param = Param {
        name: "sigma",
        unit: "pixels",
        kind: Kind::Real { default: 10.0, min: 0.5, max: 100.0 },
        paper: Some(Value::Real(3.0)),
        help: "",
        source: "",
    };

    #[test]
    fn a_value_out_of_bounds_names_field_value_and_bounds() {
        for (value, got) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf"), (1e300, "1000")] {
            let mut violations = Vec::new();
            assert_eq!(SIGMA.real(Some(value), Preset::Clean, "fill.blur", &mut violations), 10.0);
            assert_eq!(violations[0].field, "fill.blur.sigma");
            assert!(violations[0].message.starts_with(&format!("got {got}")), "{violations:?}");
            assert!(violations[0].message.ends_with("allowed is 0.5 to 100 pixels"), "{violations:?}");
        }
    }

    #[test]
    fn a_field_of_the_request_itself_has_its_own_name_alone() {
        let mut violations = Vec::new();
        SIGMA.real(Some(-1.0), Preset::Clean, "", &mut violations);
        assert_eq!(violations[0].field, "sigma");
    }

    #[test]
    fn a_preset_gives_its_own_value_where_it_has_one() {
        let mut violations = Vec::new();
        assert_eq!(SIGMA.real(None, Preset::Paper, "", &mut violations), 3.0);
        let plain = Param { paper: None, ..SIGMA };
        assert_eq!(plain.real(None, Preset::Paper, "", &mut violations), 10.0);
        assert!(violations.is_empty());
    }

    #[test]
    fn bounds_are_allowed_and_absence_gives_the_default() {
        let mut violations = Vec::new();
        assert_eq!(SIGMA.real(Some(0.5), Preset::Clean, "", &mut violations), 0.5);
        assert_eq!(SIGMA.real(Some(100.0), Preset::Paper, "", &mut violations), 100.0);
        assert_eq!(SIGMA.real(None, Preset::Clean, "", &mut violations), 10.0);
        assert!(violations.is_empty());
    }
}
