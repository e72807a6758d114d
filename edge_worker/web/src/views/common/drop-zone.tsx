// The ways to add photos: drop, file picker, folder picker, phone camera.
// Never judges files: it passes on all of them.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { EXTENSIONS, MEDIA_TYPES, VIDEO_EXTENSIONS, VIDEO_MEDIA_TYPES } from "../../../../shared/photo-types.ts";
import { fromDrop, fromInput, type DroppedFile } from "../../intake/dropped.ts";

import "./drop-zone.css";

/** Extensions too: not every system knows the media type of HEIC. */
const TYPES = [...MEDIA_TYPES, ...VIDEO_MEDIA_TYPES, ...[...EXTENSIONS, ...VIDEO_EXTENSIONS].map((extension) => `.${extension}`)].join();

interface Props {
  onFiles: (files: DroppedFile[]) => void;
  /** Shown in the zone. Drops count anywhere on the page. */
  children: ComponentChildren;
  className: string;
}

export function DropZone({ onFiles, children, className }: Props) {
  const over = useDropAnywhere(onFiles);
  return <div class={over ? `${className} over` : className}>{children}</div>;
}

/** The pickers. Browsers without a folder picker do not get one. */
export function Pickers({ onFiles, small = false }: { onFiles: (files: DroppedFile[]) => void; small?: boolean }) {
  const look = small ? "button quiet" : "button";
  return (
    <div class="pickers">
      <Picker look={look} label={small ? "Add photos or clips" : "Choose photos or clips"} onFiles={onFiles} attributes={{ accept: TYPES }} name="photos" />
      <Picker look="button quiet camera-only" label="Take a photo" onFiles={onFiles} attributes={{ accept: "image/*", capture: "environment" }} name="camera" />
      {"webkitdirectory" in HTMLInputElement.prototype ? (
        <Picker look="button quiet folder" label={small ? "Add a folder" : "Choose a folder"} onFiles={onFiles} attributes={{ webkitdirectory: true }} name="folder" />
      ) : null}
    </div>
  );
}

interface PickerProps {
  look: string;
  label: string;
  name: string;
  attributes: Record<string, string | boolean>;
  onFiles: (files: DroppedFile[]) => void;
}

function Picker({ look, label, name, attributes, onFiles }: PickerProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button class={look} type="button" onClick={() => input.current?.click()}>
        {label}
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        data-picker={name}
        {...attributes}
        onChange={({ currentTarget }) => {
          onFiles(fromInput(currentTarget));
          currentTarget.value = "";
        }}
      />
    </>
  );
}

function useDropAnywhere(onFiles: (files: DroppedFile[]) => void): boolean {
  const [over, setOver] = useState(false);
  const latest = useRef(onFiles);
  latest.current = onFiles;
  useEffect(() => {
    const end = new AbortController();
    const on = (type: "dragenter" | "dragleave" | "dragover" | "drop", handle: (event: DragEvent, transfer: DataTransfer) => void): void =>
      window.addEventListener(
        type,
        (event) => {
          if (event.dataTransfer?.types.includes("Files")) handle(event, event.dataTransfer);
        },
        { signal: end.signal },
      );
    // Enter and leave fire for every element that is crossed. At depth 0 the pointer has left the page.
    let depth = 0;
    const enter = (change: number): void => {
      depth = Math.max(0, depth + change);
      setOver(depth > 0);
    };
    on("dragenter", () => enter(1));
    on("dragleave", () => enter(-1));
    on("dragover", (event) => event.preventDefault());
    on("drop", (event, transfer) => {
      event.preventDefault();
      enter(-depth);
      void fromDrop(transfer).then((files) => latest.current(files));
    });
    return () => end.abort();
  }, []);
  return over;
}
