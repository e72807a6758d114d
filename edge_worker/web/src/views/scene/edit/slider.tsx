// A labelled slider with its value in words. Works by touch and by keyboard.
interface Props {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  words: string;
  onValue: (value: number) => void;
}

export function Slider({ label, value, min, max, step, words, onValue }: Props) {
  return (
    <label class="field slider">
      <span>
        {label} <span class="figures quiet">{words}</span>
      </span>
      <input type="range" min={min} max={max} step={step} value={value} aria-valuetext={words} onInput={({ currentTarget }) => onValue(Number(currentTarget.value))} />
    </label>
  );
}
