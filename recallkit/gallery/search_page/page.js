// The search page: an image is chosen, dropped or pasted; a click on a result searches on with it.
// Names go into the page as text, never as markup.

const find = id => document.getElementById(id);
const limit = Number(document.body.dataset.limit);
let current = 0;  // the number of the last search: answers to earlier ones are dropped
let uploaded = null;  // the answer to the last image that was sent, for "back"

function element(tag, className, text = '') {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function image(source) {
  const made = element('img', '');
  made.alt = '';  // the text beside it names it
  made.onerror = () => made.classList.add('gone');
  made.src = source;
  return made;
}

function name(item) {
  const inside = item.class && item.path.startsWith(`${item.class}/`);
  const path = element('span', 'path', inside ? item.path.slice(item.class.length + 1) : item.path);
  path.dir = 'ltr';
  const label = element('span', 'class', item.class);
  label.dir = 'auto';
  return item.class ? [label, path] : [path];
}

function result(item) {
  const button = element('button', '');
  button.type = 'button';
  button.dataset.row = item.row;
  button.title = `${item.path}: search on with this image`;
  button.append(image(`image/${item.row}`),
                element('span', 'similarity', item.similarity.toFixed(3)), ...name(item));
  button.onclick = () => { location.hash = `image-${item.row}`; };
  const entry = element('li', '');
  entry.append(button);
  return entry;
}

function show(answer) {
  const {query, results} = answer;
  const caption = element('figcaption', '');
  if (query.image) caption.textContent = 'your image';
  else caption.append(...name(query));
  find('query').replaceChildren(image(query.image || `image/${query.row}`), caption);
  find('results').replaceChildren(...results.map(result));
  const count = results.length;
  find('status').textContent =
    count === 0 ? 'There is no other image' :
    count === 1 ? 'The nearest image, with its similarity (cosine)' :
    `The ${count} nearest images, with their similarity (cosine)`;
  find('found').hidden = false;
  find('status').focus({preventScroll: true});
}

async function answerTo(address, options) {
  let response, answer;
  try {
    response = await fetch(address, options);
    answer = await response.json();
  } catch {
    throw new Error('The server does not answer: it has been ended, or the file cannot be read.');
  }
  if (!response.ok) throw new Error(answer.error || 'The search failed.');
  return answer;
}

async function search(address, options, keep = () => {}) {
  const number = ++current;
  find('message').textContent = '';
  document.body.classList.add('busy');
  try {
    const answer = await answerTo(address, options);
    if (number !== current) return;
    keep(answer);
    show(answer);
  } catch (error) {
    if (number === current) find('message').textContent = error.message;
  } finally {
    if (number === current) document.body.classList.remove('busy');
  }
}

function upload(file) {
  if (file.size > limit) {
    current += 1;
    find('message').textContent =
      `The image is too large: the limit is ${Math.floor(limit / 2 ** 20)} MB.`;
    return;
  }
  search('search', {method: 'POST', body: file}, answer => {
    uploaded = answer;
    if (location.hash) history.pushState(null, '', location.pathname);
  });
}

function uploadFirst(data) {
  const file = [...data.files].find(one => one.size);
  if (file) upload(file);
  else find('message').textContent = 'There is no image file in this.';
}

function follow() {
  const row = /^#image-([0-9]+)$/.exec(location.hash)?.[1];
  if (row !== undefined) {
    search(`search/${row}`);
  } else if (uploaded) {
    current += 1;
    find('message').textContent = '';
    document.body.classList.remove('busy');
    show(uploaded);
  } else {
    find('found').hidden = true;
  }
}

find('file').addEventListener('change', event => {
  if (event.target.files.length) upload(event.target.files[0]);
  event.target.value = '';  // so that the same file can be chosen again
});
document.addEventListener('paste', event => {
  event.preventDefault();
  uploadFirst(event.clipboardData);
});
document.addEventListener('dragover', event => {
  event.preventDefault();
  document.body.classList.add('over');
});
document.addEventListener('dragleave', event => {
  if (!event.relatedTarget) document.body.classList.remove('over');
});
document.addEventListener('drop', event => {
  event.preventDefault();
  document.body.classList.remove('over');
  uploadFirst(event.dataTransfer);
});
window.addEventListener('popstate', follow);
follow();
