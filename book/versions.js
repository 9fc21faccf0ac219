// A menu of the versions of these documents, with links to the same page in each. `make site` writes two constants before this: the
// version of this book, and all versions with their pages, as they were when it was made.
{
  const show = (versions) => {
    const root = new URL(path_to_root || "./", location.href);
    const page = location.pathname.slice(root.pathname.length) || "index.html";
    const menu = document.createElement("details");
    menu.className = "versions";
    const title = document.createElement("summary");
    title.textContent = thisVersion;
    title.setAttribute("aria-label", `Version ${thisVersion}. Other versions`);
    const list = document.createElement("ul");
    for (const [name, pages] of Object.entries(versions)) {
      const link = document.createElement("a");
      link.href = new URL(`../${name}/${pages.includes(page) ? page : "index.html"}`, root);
      link.textContent = name;
      if (name === thisVersion) link.setAttribute("aria-current", "true");
      const item = document.createElement("li");
      item.append(link);
      list.append(item);
    }
    menu.append(title, list);
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      menu.open = false;
      title.focus();
    });
    document.querySelector(".right-buttons").prepend(menu);
  };
  // A book that was published earlier asks which versions there are by now. A page that was opened as a file may not ask.
  if (location.protocol === "file:") {
    show(builtVersions);
  } else {
    fetch(new URL(`${path_to_root}../versions.json`, location.href))
      .then((answer) => answer.json())
      .catch(() => builtVersions)
      .then(show);
  }
}
