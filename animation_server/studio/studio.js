/** The page: a drawing is chosen, its figure corrected, and the figure animated. */

import { makeClient } from "./client.js";
import { Figure } from "./figure.js";

const $ = (id) => document.getElementById(id);
const FIRST_MOTIONS = ["dab", "jumping", "zombie"];
const CHARACTER = /^#character=([0-9a-f]+)$/;

let character = null;
let running = null; // the AbortController of what is under way

const client = makeClient({ askForKey, say });
const figure = new Figure($("stage"), toolInHand, showTools);

/** Do something that may take a while: one thing at a time, with its errors shown to whoever looks. */
async function run(text, action) {
  running?.abort();
  const mine = (running = new AbortController());
  document.body.classList.add("busy");
  say(text);
  try {
    await action(mine.signal);
    if (running === mine) say("");
  } catch (error) {
    if (error.name !== "AbortError" && running === mine) say(error.message, true);
    if (!error.code && error.name !== "AbortError") throw error; // a mistake of ours: the console is to show it
  } finally {
    if (running === mine) {
      running = null;
      document.body.classList.remove("busy");
    }
  }
}

function say(text, isError = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", isError);
}

function askForKey() {
  $("key").value = "";
  $("key-dialog").showModal();
  return new Promise((resolve, reject) => {
    $("key-dialog").addEventListener("close", () => {
      if ($("key").value) resolve($("key").value);
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

async function show(shown) {
  character = shown;
  history.replaceState(null, "", `#character=${shown.id}`);
  $("start").hidden = true;
  $("figure").hidden = $("wishes").hidden = $("another").hidden = false;
  $("results").replaceChildren();
  document.querySelector("[name=tool][value=joints]").checked = true;
  await Promise.all([figure.show(here(shown)), listMotions()]);
  showTools();
}

function startAnew() {
  character = null;
  history.replaceState(null, "", location.pathname);
  $("file").value = "";
  $("figure").hidden = $("wishes").hidden = $("another").hidden = true;
  $("start").hidden = false;
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
  $("undo").disabled = !figure.canUndo;
  for (const input of document.querySelectorAll("[name=tool]:not([value=joints])")) {
    input.disabled = !figure.canBePainted;
    input.parentElement.title = figure.canBePainted
      ? "" : "This page may not read the picture: the bucket's CORS rules do not allow it.";
  }
}

async function saveCorrection() {
  const correction = figure.correction;
  if (!correction) return;
  character = await client.correctCharacter(character.id, character.tag, correction);
  await figure.show(here(character));
  showTools();
}

function deleteCharacter() {
  if (!confirm("Delete this drawing and all animations of it?")) return;
  run("Deleting …", async () => {
    await client.deleteCharacter(character.id);
    startAnew();
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
  const wishes = new FormData($("form"));
  const motions = wishes.getAll("motion");
  if (!motions.length) {
    say("Choose at least one motion.", true);
    return;
  }
  const format = wishes.get("format");
  run("Animating …", async (signal) => {
    let job = null;
    $("animate").hidden = true;
    $("stop").hidden = $("progress").hidden = false;
    $("progress").removeAttribute("value");
    signal.addEventListener("abort", () => job && client.cancelJob(job.id).catch(() => {}));
    try {
      await saveCorrection();
      const wanted = {
        motions, format, background: wishes.get("background"), speed: Number(wishes.get("speed")),
      };
      const animations = await client.animate(character.id, wanted, (now) => {
        job = now;
        $("progress").value = now.progress;
      }, signal);
      showResults(animations, format);
    } finally {
      $("animate").hidden = false;
      $("stop").hidden = $("progress").hidden = true;
    }
  });
}

function showResults(animations, format) {
  $("results").replaceChildren(...Object.entries(animations).map(([motion, url]) => {
    const shown = format === "mp4"
      ? Object.assign(document.createElement("video"), { muted: true, loop: true, autoplay: true, playsInline: true })
      : Object.assign(document.createElement("img"), { alt: `The drawing, ${motion}` });
    shown.src = url;
    const extension = new URL(url).pathname.split(".").pop();
    const link = Object.assign(document.createElement("a"), {
      href: url, download: `${motion}.${extension}`, textContent: motion,
    });
    const result = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.append(link);
    result.append(shown, caption);
    return result;
  }));
  $("results").scrollIntoView({ behavior: "smooth", block: "nearest" });
}

// --- what people do

$("file").addEventListener("change", () => $("file").files.length && open($("file").files[0]));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  $("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => event.relatedTarget || $("drop").classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  if (event.dataTransfer.files.length) open(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => event.clipboardData.files.length && open(event.clipboardData.files[0]));
$("another").addEventListener("click", () => {
  running?.abort();
  say("");
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
  running?.abort();
  say("");
});

const linked = CHARACTER.exec(location.hash);
if (linked) run("Opening the drawing …", async () => show(await client.readCharacter(linked[1])));
