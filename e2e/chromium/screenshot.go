package chromium

import "context"

// Resize gives the page the size of a window, or of a phone's screen if it is
// narrow, and a colour scheme: "light" or "dark".
func (b *Browser) Resize(ctx context.Context, width, height int, scheme string) error {
	size := map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
	if err := b.call(ctx, "", "Emulation.setDeviceMetricsOverride", size, nil); err != nil {
		return err
	}
	feature := map[string]string{"name": "prefers-color-scheme", "value": scheme}
	return b.call(ctx, "", "Emulation.setEmulatedMedia", map[string]any{"features": []any{feature}}, nil)
}

// Screenshot returns what the page looks like as a PNG file.
func (b *Browser) Screenshot(ctx context.Context) ([]byte, error) {
	var shot struct{ Data []byte }
	err := b.call(ctx, "", "Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	return shot.Data, err
}
