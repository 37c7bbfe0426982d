// Makes dist/ from src/ and the contract: types are checked, the same input gives the same bytes.
//
//   node build.mjs [DIR]    DIR is dist/ where none is given

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const out = process.argv[2] ?? "dist";
const run = (name, ...args) => execFileSync(join("node_modules", ".bin", name), args, { stdio: "inherit" });

run("buf", "generate");
run("tsc", "--project", "tsconfig.json");
mkdirSync(out, { recursive: true });
const made = await build({
  entryPoints: ["src/main.ts", "src/app.css"],
  entryNames: "app",
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome115", "firefox115", "safari16.4"],
  charset: "utf8",
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
});
copyFileSync("src/index.html", join(out, "index.html"));
writeFileSync(join(out, "licences.txt"), licences(Object.keys(made.metafile.inputs)));

// What is bundled of others', with its licence in full.
function licences(inputs) {
  const packages = new Set(inputs.map((input) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1]).filter(Boolean));
  const texts = [...packages].sort().map((name) => {
    const folder = join("node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? own(name, license) : readFileSync(join(folder, file), "utf8").trim();
    return `${name} ${version}\n${license}\n\n${text}\n`;
  });
  return `The page of Unmask holds the following packages.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

// Apache-2.0 is the project's own licence; any other text has to come with the package.
function own(name, license) {
  const texts = [readFileSync("../../../LICENSE", "utf8").trim()];
  if (license === "(Apache-2.0 AND BSD-3-Clause)" && name === "@bufbuild/protobuf") {
    const [header] = /^(\/\/.*\n)+/.exec(readFileSync("node_modules/@bufbuild/protobuf/dist/esm/wire/varint.js", "utf8"));
    texts.push(header.replaceAll(/^\/\/ ?/gm, "").trim());
  } else if (license !== "Apache-2.0") throw new Error(`there is no text of ${license}, which ${name} has`);
  return texts.join("\n\n");
}
