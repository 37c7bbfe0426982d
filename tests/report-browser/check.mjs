// Opens a report from disk in Chromium without a network, light and dark, narrow and wide, without a script and on paper, and fails where
// axe-core finds a serious fault, the page asks for anything, the policy stops anything, or the slider does not follow the keyboard.
//
//   apt-get install chromium poppler-utils && npm ci
//   node check.mjs REPORT.html [OUT]      CHROMIUM=/usr/bin/chromium names another browser
import { mkdirSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const [report, out = "out"] = process.argv.slice(2);
if (!report) throw new Error("usage: node check.mjs REPORT.html [OUT]");
const page_url = pathToFileURL(resolve(report)).href;
mkdirSync(out, { recursive: true });

const faults = [];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });

/** A page that is opened in that way; what it asks for and what it complains of is a fault. */
async function open(name, options) {
  // The checks put a script of their own into the page, which its policy would stop; what the policy stops of the page's own is told first.
  const context = await browser.newContext({ offline: true, bypassCSP: options.bypassCSP ?? false, ...options });
  const page = await context.newPage();
  page.on("request", (request) => {
    const url = request.url();
    if (url !== page_url && !url.startsWith("data:image/")) faults.push(`${name}: asks for ${url}`);
  });
  page.on("console", (message) => faults.push(`${name}: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`${name}: ${error.message}`));
  await page.goto(page_url);
  return page;
}

const looks = [
  ["light-wide", { colorScheme: "light", viewport: { width: 1280, height: 900 } }],
  ["dark-wide", { colorScheme: "dark", viewport: { width: 1280, height: 900 } }],
  ["light-narrow", { colorScheme: "light", viewport: { width: 360, height: 740 } }],
  ["dark-narrow", { colorScheme: "dark", viewport: { width: 360, height: 740 } }],
  ["no-script", { javaScriptEnabled: false, viewport: { width: 1280, height: 900 } }],
];
for (const [name, options] of looks) {
  const page = await open(name, options);
  await page.screenshot({ path: join(out, `${name}.png`), fullPage: true });
  if (options.javaScriptEnabled === false) {
    if (await page.locator(".fade:visible").count()) faults.push(`${name}: a slider that does nothing is shown`);
    continue;
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) faults.push(`${name}: the page is ${wide} pixels wider than its window`);
}

// The slider, by the keyboard alone.
const slid = await open("slider", { viewport: { width: 1280, height: 900 } });
const sliders = await slid.locator(".fade input").count();
if (!sliders) faults.push("slider: there is none");
for (let i = 0; i < sliders; i += 1) {
  const slider = slid.locator(".fade input").nth(i);
  await slider.focus();
  for (const [key, value] of [["Home", "0"], ["ArrowRight", "0.05"], ["End", "1"], ["ArrowLeft", "0.95"]]) {
    await slid.keyboard.press(key);
    const layer = slid.locator(`[id="${await slider.getAttribute("data-layer")}"]`);
    const opacity = await layer.evaluate((element) => getComputedStyle(element).opacity);
    if (opacity !== value) faults.push(`slider ${i}: ${key} gives an opacity of ${opacity} in place of ${value}`);
  }
  await slid.keyboard.press("Home");
}
await slid.screenshot({ path: join(out, "slider-0.png"), fullPage: true });

// Accessibility, in both colours and both widths.
for (const [name, options] of looks.filter(([, { javaScriptEnabled }]) => javaScriptEnabled !== false)) {
  const page = await open(name, { ...options, bypassCSP: true });
  await page.addScriptTag({ path: axe });
  const found = await page.evaluate(() => globalThis.axe.run());
  for (const { id, impact, help, nodes } of found.violations) {
    const told = `axe ${name}: ${id} (${impact}): ${help}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`;
    faults.push(told);
  }
  process.stdout.write(`${name}: ${found.passes.length} rules hold, ${found.violations.length} do not, ${found.incomplete.map((rule) => rule.id).join(" ") || "none"} not decided\n`);
}

// Paper, printed from a dark screen with the map faded out: it is printed in full on white.
const printed = await open("print", { colorScheme: "dark" });
await printed.locator(".fade input").first().focus();
await printed.keyboard.press("Home");
writeFileSync(join(out, "report.pdf"), await printed.pdf({ format: "A4", printBackground: true, margin: { top: "15mm", bottom: "15mm", left: "15mm", right: "15mm" } }));
execFileSync("pdftoppm", ["-r", "60", "-png", join(out, "report.pdf"), join(out, "print")]);

await browser.close();
process.stdout.write(faults.length ? `${faults.join("\n")}\n` : "no fault\n");
process.exitCode = faults.length ? 1 : 0;
