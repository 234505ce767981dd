"""The login page, which is Flask-AppBuilder's and takes title and language from here; the rest of the UI is Airflow's."""

from flask_appbuilder.security.views import AuthView

AuthView.title = "介護保険料通知"
BABEL_DEFAULT_LOCALE = "ja_JP"
LANGUAGES = {"ja_JP": {"flag": "jp", "name": "日本語"}}
