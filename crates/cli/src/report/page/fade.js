for (const slider of document.querySelectorAll(".fade input")) {
  const layer = document.getElementById(slider.dataset.layer);
  const shown = slider.nextElementSibling;
  const fade = () => {
    layer.style.opacity = slider.value / 100;
    shown.textContent = slider.value + " %";
    slider.setAttribute("aria-valuetext", slider.value + " %");
  };
  slider.addEventListener("input", fade);
  slider.parentElement.hidden = false;
  fade();
}
