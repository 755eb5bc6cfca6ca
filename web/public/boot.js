// Language, direction and theme before the first paint.
(function () {
  var read = function (key) { try { return localStorage.getItem(key); } catch (e) { return null; } };
  var known = ['en', 'pl', 'ru', 'zh', 'hu', 'fa'];
  var lang = read('northing.lang') || (navigator.language || 'en').slice(0, 2);
  if (known.indexOf(lang) < 0) lang = 'en';
  var theme = read('northing.theme') || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  var root = document.documentElement;
  root.lang = lang;
  root.dir = lang === 'fa' ? 'rtl' : 'ltr';
  root.dataset.theme = theme;
})();
