// The page in a browser, as its users have it: by mouse, by keyboard alone, in light and dark, narrow and wide.
//
//   CHROMIUM=/usr/bin/chromium node test/browser.mjs http://127.0.0.1:PORT SCREENSHOTS

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const [address, shots] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const sample = fileURLToPath(new URL("../../../../models/samples/astronaut-mouth.png", import.meta.url));
/** Only keeps a broken test from hanging. */
const PATIENCE = 120_000;

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, headless: true, args: ["--no-sandbox"] });
try {
  const tests = [mouse, textFile, wrongNumber, cancelled, keyboard, looks];
  for (const test of tests) {
    await test();
    console.log(`ok ${test.name}`);
  }
} finally {
  await browser.close();
}

/** A page of its own; whatever it asks of anybody else, and whatever its console has to complain about, fails the test. */
async function opened(options = {}) {
  const context = await browser.newContext({ acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const faults = [];
  page.on("request", (request) => {
    if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(`${address}/`)) faults.push(`asks ${request.url()}`);
  });
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(address);
  await page.waitForSelector("#question:not([hidden])");
  const close = async () => {
    assert.deepEqual(faults, []);
    await context.close();
  };
  return { page, close };
}

/** An explanation, in the order in which they were asked for. */
function card(page, n) {
  return page.locator(".card").nth(n);
}

async function upload(page) {
  await page.setInputFiles("#file", sample);
  await page.getByText(/one face/).waitFor();
}

/** Upload, live progress, the finished overlay, another method beside it, both measured, both saved. */
async function mouse() {
  const { page, close } = await opened({ viewport: { width: 1280, height: 900 } });
  await upload(page);
  await page.selectOption("#method", { label: "rise" });
  await page.fill("#passes", "800");
  await page.evaluate(observe);
  await page.getByRole("button", { name: "Explain" }).click();
  await card(page, 0).locator("progress[value]").waitFor();
  await page.waitForFunction(() => window.drawn > 1);
  await page.screenshot({ path: `${shots}/live.png`, fullPage: true });
  await card(page, 0).locator(".sentences").waitFor();
  const seen = await page.evaluate(() => ({ drawn: window.drawn, lines: window.lines }));
  assert(seen.drawn >= 2, `${seen.drawn} maps were drawn`);
  assert(seen.lines.some((line) => /^[\d\u202f]+ of [\d\u202f]+ passes/.test(line)), seen.lines.join("\n"));
  assert(await coloured(card(page, 0)), "the finished map has colours");
  assert((await card(page, 0).locator("tbody tr").count()) >= 5, "parts or regions are told");
  await page.screenshot({ path: `${shots}/finished.png`, fullPage: true });

  const strength = card(page, 0).getByLabel("Strength of the colours");
  await strength.fill("20");
  assert.equal(await card(page, 0).locator(".map").evaluate((map) => map.style.opacity), "0.2");
  await strength.fill("75");

  for (const [button, ending] of [["Save as JSON", "json"], ["Save overlay", "overlay.png"]]) {
    const [download] = await Promise.all([page.waitForEvent("download"), card(page, 0).getByRole("button", { name: button }).click()]);
    assert.equal(download.suggestedFilename(), `astronaut-mouth.rise.${ending}`);
    await download.saveAs(`${shots}/astronaut-mouth.rise.${ending}`);
    const bytes = readFileSync(await download.path());
    if (ending === "json") {
      const answer = JSON.parse(bytes);
      assert.equal(answer.resolved.method.preset, undefined);
      assert.equal(answer.overlay_png, undefined, "no pixel is in the JSON");
    } else assert.deepEqual([...bytes.subarray(1, 4)], [..."PNG"].map((c) => c.charCodeAt(0)));
  }

  await page.selectOption("#other", { label: "lime" });
  await page.getByRole("button", { name: "Compare" }).click();
  await card(page, 1).locator(".sentences").waitFor();
  await page.getByRole("button", { name: "Measure both" }).click();
  const figures = page.locator("#figures tbody tr");
  await figures.first().waitFor();
  const rows = await figures.allTextContents();
  assert(rows.length >= 5 && rows[0].startsWith("rise") && rows[1].startsWith("lime"), rows.join("\n"));
  await page.screenshot({ path: `${shots}/compare.png`, fullPage: true });
  await accessible(page, "compare");
  await close();
}

/** Counts maps that are drawn, and keeps the lines of progress. */
function observe() {
  window.drawn = 0;
  window.lines = [];
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (...rest) {
    if (this.canvas.className === "map") window.drawn += 1;
    return put.apply(this, rest);
  };
  new MutationObserver(() => {
    const line = document.querySelector(".progress")?.textContent;
    if (line && line !== window.lines.at(-1)) window.lines.push(line);
  }).observe(document.getElementById("cards"), { subtree: true, childList: true, characterData: true });
}

async function coloured(card) {
  return card.locator(".map").evaluate((map) => map.getContext("2d").getImageData(0, 0, map.width, map.height).data.some((v) => v > 0));
}

/** What is no picture gets the server's own sentence, and another picture can follow. */
async function textFile() {
  const { page, close } = await opened();
  await page.setInputFiles("#file", { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no picture at all") });
  const notice = page.locator("#picture-notice [role=alert]");
  await notice.waitFor();
  assert.match(await notice.innerText(), /Picture: .*(JPEG|PNG)/s);
  await page.screenshot({ path: `${shots}/error.png`, fullPage: true });
  assert(!(await page.locator("#faces").isVisible()));
  await accessible(page, "error");
  await upload(page);
  assert.equal(await notice.count(), 0);
  await close();
}

/** A field that the server refuses is told by its name; one that is no number does not leave the page. */
async function wrongNumber() {
  const { page, close } = await opened();
  await upload(page);
  await page.fill("#passes", "many");
  await page.getByRole("button", { name: "Explain" }).click();
  assert.equal(await page.locator(".card").count(), 0);
  await page.fill("#passes", "1");
  await page.getByRole("button", { name: "Explain" }).click();
  const notice = card(page, 0).locator("[role=alert]");
  await notice.waitFor();
  assert.match(await notice.innerText(), /Most passes: /);
  await close();
}

/** Whoever cancels is told so, and the same can be asked again. */
async function cancelled() {
  const { page, close } = await opened();
  await upload(page);
  await page.selectOption("#method", { label: "rise" });
  await page.getByRole("button", { name: "Explain" }).click();
  await card(page, 0).locator("progress[value]").waitFor();
  await card(page, 0).getByRole("button", { name: "Cancel" }).click();
  await card(page, 0).getByText("Cancelled.").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H3", "focus stays where it was");
  await close();
}

/** All of it without a mouse. */
async function keyboard() {
  const { page, close } = await opened();
  const to = async (id) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      if (await page.evaluate((id) => document.activeElement.matches(id), id)) return;
    }
    assert.fail(`the key Tab never comes to ${id}`);
  };
  await to("#file");
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.keyboard.press("Enter")]);
  await chooser.setFiles(sample);
  await page.getByText(/one face/).waitFor();
  await to("#face-list input");
  await page.keyboard.press("ArrowDown");
  assert(await page.getByLabel("The whole picture").isChecked());
  await page.keyboard.press("ArrowUp");
  assert(!(await page.getByLabel("The whole picture").isChecked()));
  await to("#method");
  await page.keyboard.type("occlusion");
  assert.equal(await page.locator("#method").inputValue(), "kind occlusion");
  await to("#question button");
  await page.keyboard.press("Enter");
  await card(page, 0).locator(".sentences").waitFor();
  await to(".strength input");
  const outlined = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outlined, "solid", "where the focus is can be seen");
  await page.keyboard.press("Home");
  assert.equal(await card(page, 0).locator(".map").evaluate((map) => map.style.opacity), "0");
  await to("#other");
  await page.keyboard.type("hsic");
  await to("#compare button");
  await page.keyboard.press("Enter");
  await card(page, 1).locator(".sentences").waitFor();
  await to("#measure");
  await page.keyboard.press("Enter");
  await page.locator("#figures tbody tr").first().waitFor();
  await close();
}

/** Light and dark, narrow and wide: nothing is cut off, and nobody is kept out. */
async function looks() {
  const { page, close } = await opened();
  const all = async (state) => {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      for (const [name, width] of [["narrow", 360], ["wide", 1440]]) {
        await page.setViewportSize({ width, height: 900 });
        const shot = `${state}-${name}-${colorScheme}`;
        await page.screenshot({ path: `${shots}/${shot}.png`, fullPage: true });
        await accessible(page, shot);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        assert(over <= 0, `${shot}: the page is ${over} pixels too wide`);
      }
    }
  };
  await all("empty");
  await upload(page);
  await page.selectOption("#method", { label: "fast" });
  await page.getByRole("button", { name: "Explain" }).click();
  await card(page, 0).locator(".sentences").waitFor();
  await page.locator("summary").evaluateAll((all) => all.forEach((one) => one.parentElement.setAttribute("open", "")));
  await all("finished");
  await close();
}

/** No fault that axe-core calls serious or critical. */
async function accessible(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = grave.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
  assert.deepEqual(told, [], where);
}
