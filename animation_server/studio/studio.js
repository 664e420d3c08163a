/** The page: a drawing is chosen, its figure corrected, and the figure animated. */

import { ServerError, makeClient } from "./client.js";
import { Figure } from "./figure.js";

const $ = (id) => document.getElementById(id);
const FIRST_MOTIONS = ["dab", "jumping", "zombie"];
const CHARACTER = /^#character=([0-9a-f]+)$/;

let character = null;
let running = null; // the AbortController of what is under way
let saving = Promise.resolve(); // the last correction sent

const client = makeClient({ askForKey, say: (text) => running && say(text) });
const figure = new Figure($("stage"), toolInHand, showTools);

/**
 * Do something that may take a while: one thing at a time, with its errors shown to whoever looks.
 * `action` returns what is to be said in the end, if anything is.
 */
async function run(text, action) {
  stop();
  const mine = (running = new AbortController());
  document.body.classList.add("busy");
  say(text);
  try {
    const done = await action(mine.signal);
    if (running === mine) say(done ?? "");
  } catch (error) {
    if (error.name !== "AbortError" && running === mine) say(error.message, true);
    if (!error.code && error.name !== "AbortError") throw error; // a mistake of ours: the console is to show it
  } finally {
    if (running === mine) {
      running = null;
      stop();
    }
  }
}

/** Leave what is under way, if it is; the page is as if nothing were, at once. */
function stop() {
  running?.abort();
  running = null;
  document.body.classList.remove("busy");
  if (document.activeElement === $("stop")) $("animate").focus();
  $("animate").ariaDisabled = false;
  $("stop").hidden = $("progress").hidden = true;
}

function say(text, isError = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", isError);
}

function askForKey() {
  $("key").value = $("key-dialog").returnValue = "";
  $("key-dialog").showModal();
  return new Promise((resolve, reject) => {
    $("key-dialog").addEventListener("close", () => {
      if ($("key-dialog").returnValue === "use") resolve($("key").value);
      else reject(Object.assign(new Error("The server asks for an API key."), { code: "unauthorized" }));
    }, { once: true });
  });
}

// --- a drawing

function open(image) {
  run("Looking for the figure …", async (signal) => {
    await show(await client.createCharacter(image, signal));
  });
}

/** Open the drawing that the address names; none where it names none. */
function openLinked() {
  stop();
  leave();
  say("");
  const linked = CHARACTER.exec(location.hash);
  if (!linked) return;
  run("Opening the drawing …", async (signal) => {
    await show(await client.readCharacter(linked[1], signal));
  });
}

async function show(shown) {
  character = shown;
  const address = `#character=${shown.id}`;
  if (location.hash !== address) history.pushState(null, "", address); // Back leads to the drawing before
  $("start").hidden = true;
  $("figure").hidden = $("wishes").hidden = $("another").hidden = false;
  $("results").replaceChildren();
  document.querySelector("[name=tool][value=joints]").checked = true;
  $("figure-title").focus();
  await Promise.all([figure.show(here(shown)), listMotions()]);
}

/** Show the page's beginning. */
function leave() {
  character = null;
  $("figure").hidden = $("wishes").hidden = $("another").hidden = true;
  $("start").hidden = false;
}

function startAnew() {
  leave();
  $("file").focus();
}

/** On a developer's machine one server has several names; its pictures are read by the page's own. */
function here(shown) {
  const isLoopback = (name) => ["localhost", "127.0.0.1", "[::1]"].includes(name);
  const urls = Object.entries(shown.urls).map(([name, address]) => {
    const url = new URL(address);
    if (url.port === location.port && isLoopback(url.hostname) && isLoopback(location.hostname)) url.host = location.host;
    return [name, url.href];
  });
  return { ...shown, urls: Object.fromEntries(urls) };
}

// --- its figure

function toolInHand() {
  const tool = document.querySelector("[name=tool]:checked").value;
  return { tool, size: Number($("brush-size").value) };
}

function showTools() {
  const { tool } = toolInHand();
  $("stage").dataset.tool = tool;
  $("brush").classList.toggle("unused", tool === "joints");
  $("joints").inert = tool !== "joints";
  $("undo").ariaDisabled = !figure.canUndo; // not disabled: that would take the focus away
  for (const brush of document.querySelectorAll("[name=tool]:not([value=joints])")) {
    brush.disabled = !figure.canBePainted;
  }
  $("sealed").hidden = !figure.isSealed;
}

/** Send what was corrected; after the correction before, as that brings the tag that this one needs. */
async function saveCorrection(signal) {
  await saving.catch(() => {});
  signal.throwIfAborted();
  const { correction, now } = figure;
  if (!correction) return;
  const read = character;
  try {
    saving = client.correctCharacter(read.id, read.tag, correction).then((corrected) => {
      if (character !== read) return; // another drawing was opened meanwhile
      character = corrected;
      figure.saved = now;
    });
    await saving;
  } catch (error) {
    if (error.code === "invalid_mask") error.message = "Nothing of the figure is left. Undo, or add to it.";
    if (error.status !== 412) throw error;
    await show(await client.readCharacter(read.id, signal));
    const text = "It was corrected elsewhere meanwhile. This is how it is now: correct it again, or animate it.";
    throw new ServerError(error.status, error.code, text);
  }
  signal.throwIfAborted();
}

function deleteCharacter() {
  if (!confirm("Delete this drawing and all animations of it?")) return;
  run("Deleting …", async (signal) => {
    await client.deleteCharacter(character.id);
    signal.throwIfAborted();
    history.replaceState(null, "", location.pathname);
    startAnew();
    return "It is deleted.";
  });
}

// --- its animations

async function listMotions() {
  if ($("motions").children.length) return;
  const motions = await client.listMotions();
  const known = new Set(motions.map((motion) => motion.name));
  const first = FIRST_MOTIONS.filter((name) => known.has(name));
  const chosen = new Set(first.length ? first : [...known].slice(0, 3));
  $("motions").replaceChildren(...motions.map((motion) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), {
      type: "checkbox", name: "motion", value: motion.name, checked: chosen.has(motion.name),
    });
    const preview = Object.assign(document.createElement("img"), {
      src: motion.preview_url, alt: "", loading: "lazy", width: 96, height: 96,
    });
    const name = Object.assign(document.createElement("span"), { textContent: motion.name });
    label.append(input, preview, name);
    return label;
  }));
}

function animate() {
  if ($("animate").ariaDisabled === "true") return; // a double click
  if (!$("motions").children.length) {
    run("Looking for motions …", listMotions);
    return;
  }
  const wishes = new FormData($("form"));
  const motions = wishes.getAll("motion");
  if (!motions.length) {
    say("Choose at least one motion.", true);
    return;
  }
  const format = wishes.get("format");
  run("Animating …", async (signal) => {
    let job = null;
    $("animate").ariaDisabled = true;
    $("stop").hidden = $("progress").hidden = false;
    $("progress").removeAttribute("value");
    signal.addEventListener("abort", () => job && client.cancelJob(job.id).catch(() => {}));
    await saveCorrection(signal);
    const wanted = { motions, format, background: wishes.get("background"), speed: Number(wishes.get("speed")) };
    const animations = await client.animate(character.id, wanted, (now) => {
      job = now;
      $("progress").value = now.progress;
    }, signal);
    showResults(animations, format);
    return "It moves.";
  });
}

function showResults(animations, format) {
  $("results").replaceChildren(...Object.entries(animations).map(([motion, url]) => {
    const text = `The drawing, ${motion}`;
    const shown = format === "mp4"
      ? Object.assign(document.createElement("video"), {
        ariaLabel: text, controls: true, muted: true, loop: true, autoplay: true, playsInline: true,
      })
      : Object.assign(document.createElement("img"), { alt: text });
    shown.src = url;
    const extension = new URL(url).pathname.split(".").pop();
    const link = Object.assign(document.createElement("a"), {
      href: url, download: `${motion}.${extension}`, textContent: `Save ${motion}`,
      target: "_blank", // of another origin it is opened, not saved: not in the studio's place
    });
    const result = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.append(link);
    result.append(shown, caption);
    return result;
  }));
  $("results").scrollIntoView({ block: "nearest" });
}

// --- what people do

$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  $("file").value = ""; // so that the same file can be chosen again
  if (file) open(file);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  $("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => event.relatedTarget || $("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file) open(file);
  else say("That was no file. Save the picture first, then drop its file.", true);
});
document.addEventListener("paste", (event) => event.clipboardData.files.length && open(event.clipboardData.files[0]));
$("another").addEventListener("click", () => {
  stop();
  say("");
  history.pushState(null, "", location.pathname);
  startAnew();
});
$("tools").addEventListener("change", showTools);
$("undo").addEventListener("click", () => figure.undo());
$("delete").addEventListener("click", deleteCharacter);
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  animate();
});
$("stop").addEventListener("click", () => {
  stop();
  say("Stopped.");
});
window.addEventListener("hashchange", openLinked);

openLinked();
