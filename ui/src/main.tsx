import { render } from 'preact';
import { App } from './app.js';
import { followLinks } from './state/location.js';
import './styles/base.css';
import './styles/components.css';
import './styles/pages.css';

document.addEventListener('click', followLinks);
render(<App />, document.getElementById('app')!);
