//! The page of `unmask report`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;

use common::{MOUTH, REAL, project, run, serve, text, unmask};
use serde_json::Value as Json;

/// What costs little.
const CHEAP: [&str; 6] =
    ["--preset", "fast", "--compare", "occlusion:grid=4", "--metric", "comprehensiveness"];

/// The page of these arguments, as it is printed.
fn page(args: &[&str]) -> (Output, String) {
    let output = unmask().arg("report").args(args).args(["-o", "-"]).output().unwrap();
    let page = text(&output.stdout);
    (output, page)
}

/// The answers that stand in a page.
fn answers(page: &str) -> Json {
    let start = page.split("<script type=\"application/json\" id=\"answers\">").nth(1).unwrap();
    serde_json::from_str(start.split("</script>").next().unwrap()).unwrap()
}

/// `pictures[0].faces.faces[1].score`.
fn field<'a>(answers: &'a Json, path: &str) -> &'a Json {
    path.split('.').fold(answers, |json, step| {
        let (name, index) = step.split_once('[').unwrap_or((step, ""));
        match index.strip_suffix(']') {
            Some(index) => &json[name][index.parse::<usize>().unwrap()],
            None => &json[name],
        }
    })
}

/// Every number of a page: its field, its value, and how it is shown.
fn numbers(page: &str) -> Vec<(&str, f64, &str)> {
    let one = |element| {
        let (tag, rest): (&str, &str) = str::split_once(element, '>').unwrap();
        let attribute = |name: &str| {
            let start = tag.find(name).unwrap() + name.len() + 2;
            &tag[start..start + tag[start..].find('"').unwrap()]
        };
        (attribute(" data-field"), attribute(" value").parse().unwrap(), rest.split('<').next().unwrap())
    };
    page.split("<data").skip(1).map(one).collect()
}

/// Whether a number is shown as it is, but for rounding.
fn is_shown(value: f64, shown: &str) -> bool {
    let plain = shown.replace('\u{2212}', "-");
    let within = |shown: &str, scale: f64, half: f64| {
        (shown.trim().parse::<f64>().unwrap() * scale - value).abs() <= half + 1e-9
    };
    match plain.strip_suffix('%') {
        Some(percent) => within(percent, 0.01, 0.0005),
        None if plain.contains('.') => within(&plain, 1.0, 0.0005),
        None => within(&plain, 1.0, 0.5),
    }
}

/// The cells of all tables, without their numbers and bars, what a server says in them, and the names that lead elsewhere.
fn cells(page: &str) -> Vec<String> {
    let without = |text: &str, tag: &str| {
        let (start, end) = (format!("<{tag}"), format!("</{}>", tag.trim()));
        let parts = text.split(&start).enumerate();
        parts
            .map(|(i, part)| if i == 0 { part } else { part.split_once(&end).unwrap().1 })
            .collect::<String>()
    };
    let cells = page.split("<td").skip(1).map(|cell| cell.split("</td>").next().unwrap());
    let counted = |cell: &&str| !cell.starts_with(" class=\"n no\"");
    cells
        .filter(counted)
        .map(|cell| ["data", "svg", "li", "a "].iter().fold(cell.to_owned(), |cell, tag| without(&cell, tag)))
        .collect()
}

/// The sample twice on grey, the second time at half the size.
fn party(dir: &Path) -> PathBuf {
    let face = image::open(project().join(MOUTH)).unwrap().to_rgb8();
    let mut canvas = image::RgbImage::from_pixel(400, 240, image::Rgb([128; 3]));
    image::imageops::replace(&mut canvas, &face, 30, 40);
    image::imageops::replace(&mut canvas, &image::imageops::thumbnail(&face, 80, 80), 260, 60);
    let path = dir.join("party.png");
    canvas.save(&path).unwrap();
    path
}

#[test]
fn every_face_is_told_and_every_number_is_of_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let picture = party(dir.path());
    let picture = picture.to_str().unwrap();
    let (output, page) = page(&[&[picture][..], &CHEAP].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    for words in [
        "<h3 id=\"subject-1-1\">Face 1</h3>",
        "<h3 id=\"subject-1-2\">Face 2</h3>",
        "2 faces marked",
        "random (control)",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let answers = answers(&page);
    let numbers = numbers(&page);
    assert!(numbers.len() > 60, "{}", numbers.len());
    for (path, value, shown) in numbers {
        assert_eq!(field(&answers, path).as_f64(), Some(value), "{path}");
        assert!(is_shown(value, shown), "{path}: {value} is shown as {shown}");
    }
    for cell in cells(&page) {
        let inner = cell.split_once('>').unwrap().1;
        let text: String =
            inner.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
        assert!(!text.chars().any(|letter| letter.is_ascii_digit()), "a number of nobody's in {cell}");
    }

    // The commands that stand in it make the same: one face's map, and the page.
    let commands: Vec<_> = page
        .split("<pre")
        .skip(1)
        .map(|pre| pre.split("<code>").nth(1).unwrap().split("</code>").next().unwrap())
        .collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    let again = |command: &str, more: &[&str]| {
        let words: Vec<_> = command.split(' ').collect();
        assert_eq!(words[0], "unmask");
        let output = unmask().args(&words[1..]).args(more).output().unwrap();
        assert!(output.status.success(), "{command}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let out = dir.path().join("out");
    again(commands[1], &["--out", out.to_str().unwrap()]);
    let explained: Json = serde_json::from_slice(&std::fs::read(out.join("party.json")).unwrap()).unwrap();
    let shown = &answers["pictures"][0]["subjects"][1]["explanation"];
    assert_eq!(explained["map"]["values"]["sha256"], shown["map"]["values"]["sha256"]);
    assert!(page.contains(explained["map"]["values"]["sha256"].as_str().unwrap()));
    assert_eq!((&explained["regions"], &explained["prediction"]), (&shown["regions"], &shown["prediction"]));
    assert!(again(commands[2], &["-o", "-"]) == page, "the page's own command makes the same bytes");
}

#[test]
fn what_cannot_be_done_is_told_and_the_others_stand() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("<b>&\".png");
    std::fs::copy(project().join(MOUTH), &odd).unwrap();
    let words = dir.path().join("words.png");
    std::fs::write(&words, "no picture").unwrap();
    let blank = dir.path().join("blank.png");
    image::RgbImage::from_pixel(64, 64, image::Rgb([9; 3])).save(&blank).unwrap();
    let nowhere = dir.path().join("nowhere.png");
    let out = dir.path().join("page.html");
    let mut command = unmask();
    command.arg("report").args([&words, &odd, &nowhere, &blank]).args(["--preset", "fast", "--no-compare"]);
    let output = command.args(["--title", "<script>alert(1)</script>", "-o"]).arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(errors.contains("words.png: image: ") && errors.contains("nowhere.png: cannot read"), "{errors}");
    let page = std::fs::read_to_string(&out).unwrap();
    assert_eq!(page.matches("Nothing is known of this picture").count(), 2);
    assert!(
        page.contains("No face was found: the whole picture is explained")
            && page.contains("It was not compared")
    );
    assert!(
        page.contains("<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>")
            && !page.contains("<script>alert")
    );
    assert!(page.contains("&lt;b&gt;&amp;&quot;.png</h2>") && !page.contains("<b>"));
    let answers = answers(&page);
    assert!(answers["pictures"][1]["name"].as_str().unwrap().ends_with("<b>&\".png"));
    assert!(answers["pictures"][0]["failure"].as_str().unwrap().starts_with("image: "));
    assert_eq!(answers["pictures"][1]["subjects"][0]["face"], 1);
}

#[test]
fn pictures_and_faces_are_told_at_a_glance() {
    let (output, page) = page(&[MOUTH, REAL, "--preset", "fast", "--no-compare"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let glance = page
        .split("<caption><span>What the detector says</span>")
        .nth(1)
        .unwrap()
        .split("</table>")
        .next()
        .unwrap();
    for words in [
        MOUTH,
        REAL,
        "<td>manipulated (mouth)</td>",
        "<td>not manipulated (real)</td>",
        "href=\"#subject-2-1\"",
    ] {
        assert!(glance.contains(words), "{words}: {glance}");
    }
    assert!(page.contains("id=\"subject-2-1\""));
}

#[test]
fn a_page_asks_for_nothing_from_elsewhere() {
    let (output, page) = page(&[MOUTH, "--preset", "fast", "--no-compare"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("@import"));
    assert_eq!(page.matches("url(").count(), page.matches("url(#").count());
    for attribute in ["src=\"", "href=\""] {
        for value in page.split(attribute).skip(1) {
            assert!(
                value.starts_with("data:image/") || value.starts_with('#'),
                "{attribute}{}",
                &value[..40]
            );
        }
    }
    assert!(page.contains("content=\"default-src 'none'; img-src data:; style-src 'sha256-"));
}

#[test]
fn the_same_request_gives_the_same_bytes_in_process_and_at_a_server_that_knows_it_already() {
    let request = [&[MOUTH][..], &CHEAP].concat();
    let (_server, address) = serve(&[]);
    let at_server = [&request[..], &["--server", &address]].concat();
    let (output, local) = page(&request);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for _ in 0..2 {
        let (output, remote) = page(&at_server);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(remote == local, "the pages differ");
    }
}

#[test]
fn a_place_where_a_page_cannot_go_is_refused_before_the_work() {
    let dir = tempfile::tempdir().unwrap();
    let picture = dir.path().join("a.png");
    std::fs::copy(project().join(MOUTH), &picture).unwrap();
    let before = std::fs::read(&picture).unwrap();
    let missing = dir.path().join("no/page.html");
    let cases = [
        (picture.as_path(), "is one of the pictures, and would be written over"),
        (dir.path(), "is a folder; name a file"),
        (missing.as_path(), "is in a folder that does not exist"),
    ];
    for (place, why) in cases {
        // A server that nobody runs: it is not even asked.
        let mut command = unmask();
        command.arg("report").arg(&picture).args(["--server", "127.0.0.1:1", "-o"]).arg(place);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
    }
    assert!(std::fs::read(&picture).unwrap() == before);
}

#[test]
fn a_wrong_word_is_told_before_the_work() {
    for (flags, why) in [
        (["--compare", "gradcam"], "no method \"gradcam\", there are rise"),
        (["--metric", "beauty"], "no metric \"beauty\", there are"),
        (["--param", "masks=9"], "--param is for the method that --method names"),
    ] {
        let output = run(&[&["report", MOUTH, "--server", "127.0.0.1:1"][..], &flags].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
    }
}
